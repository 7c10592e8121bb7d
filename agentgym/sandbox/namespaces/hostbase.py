"""The host's toolchain as the bottom layers of a namespaces image: what `FROM python:3.11` means without a registry.

The sandbox sees the host's /usr (copy-on-write), a skeleton of everything else made here, and one Python installation
at /usr/local with nothing but pip in it. Nothing else of the host's is below, its /etc, /home, /root and /var least of
all.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import re
import shutil
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentgym.errors import ImageError

logger = logging.getLogger(__name__)

FORMAT = 3
"""Part of every cache key: raise it when what this module makes changes."""

_FOLDERS = (
    "dev", "home", "media", "mnt", "opt", "proc", "run", "srv", "sys", "usr",
    "var", "var/cache", "var/lib", "var/local", "var/log", "var/mail", "var/spool",
)  # fmt: skip
_ETC = (
    "alternatives", "bash.bashrc", "ca-certificates.conf", "debian_version", "gai.conf", "host.conf", "ld.so.conf",
    "ld.so.conf.d", "login.defs", "lsb-release", "mime.types", "nsswitch.conf", "os-release", "perl", "profile",
    "protocols", "python3", "python3.11", "services", "shells", "skel", "ssl/certs", "ssl/openssl.cnf",
)  # fmt: skip
_CODENAMES = ("bullseye", "bookworm", "trixie")
"""Debian releases that a python image may be built on; others (alpine, windows) have no glibc."""
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Mounts:
    """What an overlay is made of, one entry a mount point, parents first."""

    targets: tuple[str, ...]
    lowers: tuple[tuple[str, ...], ...]
    """Folders, upmost first."""

    def under(self, layers: list[Path]) -> Mounts:
        """These with `layers` on top: bottom first, one numbered folder a mount, left out where a layer has none."""
        return Mounts(
            self.targets,
            tuple(
                (*(str(p / str(i)) for p in reversed(layers) if (p / str(i)).is_dir()), *below)
                for i, below in enumerate(self.lowers)
            ),
        )

    def under_snapshot(self, folders: list[str]) -> Mounts:
        """These with a snapshot on top: one folder a mount, in the supervisor's mount namespace."""
        return Mounts(self.targets, tuple((top, *below) for top, below in zip(folders, self.lowers, strict=True)))


@dataclass(frozen=True, slots=True)
class Base:
    key: str
    mounts: Mounts
    env: dict[str, str]


def resolve(reference: str, cache: Path, make_whiteout: Callable[[Path], None]) -> Base:
    """The base for `FROM reference`, or ImageError saying what the host has instead."""
    name, _, tag = reference.rpartition("@")[0].partition(":") if "@" in reference else reference.partition(":")
    name = name.removeprefix("library/")
    release = os_release()
    host = f"{release.get('ID', 'linux')} {release.get('VERSION_ID', '')} ({release.get('VERSION_CODENAME', '')})"
    way_out = "Run the task with --sandbox docker, or name a base that the host has."
    if name == "python":
        match = re.fullmatch(r"(\d+\.\d+)(?:\.\d+)?(?:-slim)?(?:-([a-z]+))?", tag)
        wanted, codename = match.groups() if match else (None, None)
        if codename not in (None, release.get("VERSION_CODENAME")) and codename in _CODENAMES:
            # it is the Python that such a task asks for; system packages may differ
            logger.warning("FROM %s: the host is %s", reference, host)
        elif wanted is None or codename not in (None, release.get("VERSION_CODENAME")):
            raise ImageError(f"FROM {reference}: the host is {host}. {way_out}")
        python = _find_python(wanted)
        if python is None:
            raise ImageError(f"FROM {reference}: no python{wanted} with a standard library on the host. {way_out}")
        return _base_with(python, cache, make_whiteout)
    versions = {release.get("VERSION_ID"), release.get("VERSION_CODENAME"), "latest" if tag == "latest" else None}
    if name == release.get("ID") and (not tag or tag.removesuffix("-slim") in versions):
        return _base_with(_find_python(None), cache, make_whiteout)
    raise ImageError(f"FROM {reference}: the host is {host}. {way_out}")


def os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}


@dataclass(frozen=True, slots=True)
class _Python:
    executable: str
    """The real file."""
    prefix: str
    version: str
    """major.minor"""
    pip_wheel: str


@functools.cache  # it starts a Python: 80 ms, and every episode asks
def _find_python(version: str | None) -> _Python | None:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    beside = Path(sys.base_prefix, "bin", f"python{own}")
    candidates = [str(beside), sys.executable] if version in (None, own) else [shutil.which(f"python{version}") or ""]
    script = (
        "import ensurepip, glob, json, os, sys; places = [os.path.dirname(ensurepip.__file__) + '/_bundled',"
        " '/usr/share/python-wheels']; wheels = [w for p in places for w in glob.glob(p + '/pip-*.whl')];"
        " print(json.dumps([os.path.realpath(sys.executable), sys.base_prefix, '%d.%d' % sys.version_info[:2],"
        " wheels[0]]))"
    )
    for candidate in filter(os.path.exists, candidates):
        run = subprocess.run([candidate, "-I", "-c", script], capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return _Python(*json.loads(run.stdout))
    return None


def _base_with(python: _Python | None, cache: Path, make_whiteout: Callable[[Path], None]) -> Base:
    bundle = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or CA_BUNDLE)
    certificates = bundle.read_bytes() if bundle.exists() else b""
    facts = [FORMAT, os_release(), repr(python), hashlib.sha256(certificates).hexdigest()]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    folder = cache / "bases" / key
    apart = python is not None and not python.prefix.startswith("/usr")
    if not folder.exists():
        partial = folder.with_name(f"{key}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        _make_root(partial / "0", certificates)
        (partial / "1" / "local" / "bin").mkdir(parents=True)
        if python is not None:
            _make_python(python, partial / ("2" if apart else "1/local"), partial / "1", make_whiteout)
        try:
            partial.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    targets = ["/", "/usr"]
    lowers: list[tuple[str, ...]] = [(str(folder / "0"),), (str(folder / "1"), "/usr")]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):  # where the host has not merged them into /usr
        if Path("/", name).is_dir() and not Path("/", name).is_symlink():
            targets.append(f"/{name}")
            lowers.append((f"/{name}",))
    if apart and python is not None:
        targets.append("/usr/local")
        lowers.append((str(folder / "2"), python.prefix))
    env = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    return Base(key, Mounts(tuple(targets), tuple(lowers)), env)


def _make_root(root: Path, certificates: bytes) -> None:
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).mkdir()
        (root / name).chmod(0o1777)
    (root / "root").mkdir(mode=0o700)
    (root / "var" / "run").symlink_to("/run")
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        source = Path("/", name)
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            (root / name).mkdir()
    etc = root / "etc"
    etc.mkdir()
    for name in _ETC:
        source, target = Path("/etc", name), etc / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        elif source.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    (etc / "ssl" / "certs").mkdir(parents=True, exist_ok=True)
    (root / CA_BUNDLE[1:]).unlink(missing_ok=True)
    (root / CA_BUNDLE[1:]).write_bytes(certificates)
    for name in ("passwd", "group"):
        system = [line for line in Path("/etc", name).read_text().splitlines() if _is_system(line.split(":"))]
        (etc / name).write_text("\n".join(system) + "\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.0.1 sandbox\n")
    (etc / "hostname").write_text("sandbox\n")
    (etc / "resolv.conf").write_text("")


def _is_system(fields: list[str]) -> bool:
    """Accounts every Debian has; people's accounts stay on the host."""
    return len(fields) >= 4 and fields[2].isdigit() and (int(fields[2]) < 1000 or int(fields[2]) == 65534)


def _make_python(python: _Python, local: Path, usr: Path, make_whiteout: Callable[[Path], None]) -> None:
    """`local` is what lies over the Python's prefix (or over /usr/local), `usr` what lies over /usr."""
    (local / "bin").mkdir(parents=True, exist_ok=True)
    library = f"lib/python{python.version}"
    if local.name == "2":
        _hide_below(local / "bin")
        shutil.copy2(python.executable, local / "bin" / f"python{python.version}")
        packages = local / library / "site-packages"
    else:
        (local / "bin" / f"python{python.version}").symlink_to(f"/usr/bin/python{python.version}")
        packages = local / library / "dist-packages"
        _hide_below(usr / "lib/python3/dist-packages")
        if Path("/usr", library, "EXTERNALLY-MANAGED").exists():
            (usr / library).mkdir(parents=True)
            make_whiteout(usr / library / "EXTERNALLY-MANAGED")
    for name in ("python", "python3"):
        (local / "bin" / name).symlink_to(f"python{python.version}")
    _hide_below(packages)
    with zipfile.ZipFile(python.pip_wheel) as wheel:
        wheel.extractall(packages)
    script = "#!/usr/local/bin/python3\nimport sys\n\nfrom pip._internal.cli.main import main\n\nsys.exit(main())\n"
    for name in ("pip", "pip3"):
        (local / "bin" / name).write_text(script)
        (local / "bin" / name).chmod(0o755)


def _hide_below(folder: Path) -> None:
    """Make an overlay folder that hides what the layers below have there."""
    folder.mkdir(parents=True, exist_ok=True)
    os.setxattr(folder, "user.overlay.opaque", b"y")

"""What an agent changed below the work directory: taken from one sandbox, put into another, shown as a patch.

The agent rules its own sandbox, tar and find included. So the archive that comes out of it is rebuilt here: only files,
folders and links that the backend says have changed, none through a link, modes as git keeps them.
"""

from __future__ import annotations

import fnmatch
import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agentgym.errors import SandboxError, SandboxLost
from agentgym.protocols import FileChange, Sandbox
from agentgym.scoring.patch import render

PROTECTED_NAMES = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg", "pyproject.toml",
    "sitecustomize", "sitecustomize.*", "usercustomize", "usercustomize.*", "pytest.py", "_pytest",
    "*.pth", "*.dist-info", "*.egg-info",
)  # fmt: skip
"""Never taken over: with these a work tree would change how its tests are run and reported. Upper case counts as lower,
as it does where Python looks for plugins."""

_IGNORED_NAMES = (".git", "__pycache__", "*.pyc", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")
_LIMIT_BYTES = 256 << 20


class NotTaken(Exception):
    """The sandbox is alive and the changes cannot be had: the agent broke its tools, or left too much."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths are relative to the work directory."""

    written: tuple[str, ...]
    deleted: tuple[str, ...]
    refused: tuple[str, ...]
    """Changed, but protected: left behind."""
    archive: bytes
    """A tar of what was written."""


def take(sandbox: Sandbox, workdir: str, protected: Sequence[str] = ()) -> Changes:
    """What differs from the image below `workdir`. Raises SandboxError, NotTaken."""
    written, deleted, refused = [], [], []
    base = PurePosixPath(workdir)
    for change in _diff(sandbox):
        try:
            relative = str(PurePosixPath(change.path).relative_to(base))
        except ValueError:
            continue
        if relative == "." or _matches(relative, _IGNORED_NAMES):
            continue
        if is_protected(relative, protected) or ".." in PurePosixPath(relative).parts:
            refused.append(relative)
        elif change.kind == "deleted":
            deleted.append(relative)
        else:
            written.append(relative)
    kept = {str(parent) for name in (*protected, *refused) for parent in PurePosixPath(name).parents}
    refused += sorted(kept.intersection(deleted))
    deleted = [name for name in deleted if name not in kept]
    try:
        members = list(_checked(_pack(sandbox, workdir, written), set(written), kept))
    except tarfile.TarError as error:
        raise NotTaken(f"tar in the sandbox gave no archive: {error}") from None
    taken = tuple(info.name for info, _ in members)
    refused += sorted({*written} - {*taken})
    return Changes(taken, tuple(deleted), tuple(refused), _archive(members))


_TOOLS = "find / -maxdepth 0 -printf ok | xargs -0 printf %s"


def _diff(sandbox: Sandbox) -> list[FileChange]:
    """Some backends need programs inside to tell; who broke those has handed in nothing."""
    try:
        return sandbox.diff()
    except SandboxLost:
        raise
    except SandboxError:
        sandbox.exec("rm -rf /tmp/* /dev/shm/*", user="root", cwd="/")  # what fills the disk stands in the way
    try:
        return sandbox.diff()
    except SandboxLost:
        raise
    except SandboxError as error:
        if sandbox.exec(_TOOLS, user="root", cwd="/").stdout != "ok":
            raise NotTaken(f"find or xargs is broken in the sandbox: {error}") from None
        raise


def is_protected(relative: str, protected: Iterable[str]) -> bool:
    path = PurePosixPath(relative)
    return _matches(relative.lower(), PROTECTED_NAMES) or any(path.is_relative_to(folder) for folder in protected)


def _matches(relative: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(part, pattern) for part in PurePosixPath(relative).parts for pattern in patterns)


def _checked(archive: bytes, names: set[str], kept: set[str]) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    """The members that may go on, with their content; of the rest (other names, devices, what lies behind a link, what
    would take the place of a folder with protected files in it) nothing."""
    if not archive:
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = {info.name: info for info in opened}
        links = {name for name, info in found.items() if not info.isdir()}
        for name, info in found.items():
            behind_link = any(str(parent) in links for parent in PurePosixPath(name).parents)
            if name not in names or behind_link or (name in kept and not info.isdir()):
                continue
            clean = tarfile.TarInfo(name)
            if info.isdir():
                clean.type, clean.mode = tarfile.DIRTYPE, 0o755
                yield clean, None
            elif info.issym():
                clean.type, clean.linkname = tarfile.SYMTYPE, info.linkname
                yield clean, None
            else:
                same = found.get(info.linkname, info) if info.islnk() else info
                content = opened.extractfile(same) if same.isreg() else None
                if content is not None:
                    data = content.read()
                    clean.size, clean.mode = len(data), 0o755 if same.mode & 0o111 else 0o644
                    yield clean, data


def _archive(members: Iterable[tuple[tarfile.TarInfo, bytes | None]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, None if data is None else io.BytesIO(data))
    return buffer.getvalue()


_MAKE_ROOM = """for name; do [ -d "$name" ] && [ ! -L "$name" ] || rm -f -- "$name"; done"""


def apply(sandbox: Sandbox, workdir: str, changes: Changes) -> None:
    """Make them in another sandbox of the same image. Raises SandboxError, and NotTaken for changes that lie behind a
    link of the image, which no honest tool reports."""
    if not changes.written and not changes.deleted:
        return
    links = set(_do(sandbox, workdir, ["find", ".", "-type", "l", "-printf", "%P\\0"]).split("\0"))
    links -= {*changes.written, *changes.deleted}
    for name in (*changes.written, *changes.deleted):
        if not links.isdisjoint(str(parent) for parent in PurePosixPath(name).parents):
            raise NotTaken(f"{name} is said to have changed, and lies behind a link")
    with tarfile.open(fileobj=io.BytesIO(changes.archive)) as opened:
        folders = {info.name for info in opened if info.isdir()}
    gone = [*changes.deleted, *(name for name in changes.written if name not in folders)]
    if gone:
        _do(sandbox, workdir, ["xargs", "-0", "rm", "-rf", "--"], _listed(gone))
    if folders:
        make_room = ["xargs", "-0", "sh", "-c", _MAKE_ROOM, "sh"]
        _do(sandbox, workdir, make_room, _listed(folders))
    if changes.written:
        _do(sandbox, workdir, ["tar", "-x", "-f", "-", "--no-same-owner"], changes.archive)


def patch(before: Sandbox, workdir: str, changes: Changes, brought_in: Sequence[Path] = ()) -> str:
    """The changes as `git apply` takes them; `before` holds the image's files, and the folders `brought_in` were laid
    over them for the agent to find."""
    was = _pack(before, workdir, [*changes.written, *changes.deleted], missing_ok=True)
    return render(was, changes.archive, laid_over=[_shown(folder, changes.refused) for folder in brought_in])


def _shown(folder: Path, refused: Sequence[str]) -> bytes:
    """A tar of the files of a folder of this machine that a patch tells of."""
    named = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in named.items():
            if name not in refused and not _matches(name, _IGNORED_NAMES):
                archive.add(path, name)
    return buffer.getvalue()


def _pack(sandbox: Sandbox, workdir: str, names: Sequence[str], *, missing_ok: bool = False) -> bytes:
    try:
        return sandbox.pack(workdir, names, max_bytes=_LIMIT_BYTES, missing_ok=missing_ok)
    except (OSError, ValueError) as error:
        raise NotTaken(str(error)) from None


def _listed(names: Iterable[str]) -> bytes:
    return b"\0".join(os.fsencode(name) for name in names)


def _do(sandbox: Sandbox, workdir: str, argv: list[str], stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
    result = sandbox.exec(argv, stdin=stdin, cwd=workdir, user="root", timeout_s=300.0)
    if result.exit_code not in ok:
        said = f"{argv[0]} in {workdir} ended with {result.exit_code}: {result.stderr.strip()[-300:]}"
        raise SandboxError(said) if argv[0] != "tar" else NotTaken(said)
    return result.stdout

"""Runs inside the sandbox, as `dig.py` sends it: finds what holds the fix and prints it as JSON.

Python 3.8 and its standard library: the sandbox has nothing else.
"""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import marshal
import os
import socket
import stat
import subprocess
import tarfile
import time
import types
import zipfile
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

SKIPPED = ("/proc", "/sys", "/dev")
SYSTEM = ("/usr/lib", "/usr/share", "/usr/include", "/usr/libexec", "/usr/src", "/lib", "/lib64")
"""The distribution's folders, where only files by the same name and archives are looked into, Python packages aside."""
PACKAGES = ("/dist-packages/", "/site-packages/")
ZIPS = (".zip", ".whl", ".egg")
TARS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")
LARGEST_BYTES = 8 << 20
LARGEST_ARCHIVE_BYTES = 64 << 20
BROKEN = (OSError, EOFError, ValueError, TypeError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
"""What reading a file raises that is not what its name says."""


class Search:
    def __init__(self, workdir: str, files: dict[str, Any]) -> None:
        self.fixed = {name: plain(base64.b64decode(file["content"])) for name, file in files.items()}
        self.buggy = {name: plain(contents(Path(workdir, name))) for name in files}
        self.ways: dict[str, list[list[bytes]]] = {}
        for name, file in files.items():
            decoded = [[base64.b64decode(piece) for piece in way] for way in file["needles"]]
            self.ways[name] = [[piece for piece in way if piece not in self.buggy[name]] for way in decoded]
        self.names = {Path(name).name for name in files}
        self.modules = {Path(name).stem for name in files if name.endswith(".py")}
        self.codes = {name: facts_of(self.fixed[name]) for name in files if name.endswith(".py")}
        self.codes = {name: code for name, code in self.codes.items() if code != facts_of(self.buggy[name])}
        self.hits: list[dict[str, Any]] = []
        self.n_files = self.n_objects = 0

    def hit(self, place: str, how: str, *, whole: bool) -> None:
        self.hits.append({"place": place, "how": how, "whole": whole})

    def look(self, data: bytes, place: str) -> None:
        data = plain(data)
        for name, fixed in self.fixed.items():
            if data == fixed and fixed != self.buggy[name]:
                self.hit(place, f"{name} as fixed", whole=True)
                continue
            for way in self.ways[name]:
                found = sum(piece in data for piece in way)
                if found:
                    self.hit(place, f"{found} of {len(way)} pieces of the fix of {name}", whole=found == len(way))
                    break

    def walk(self) -> None:
        for folder, folders, names in os.walk("/"):
            folders[:] = [name for name in folders if f"{folder.rstrip('/')}/{name}" not in SKIPPED]
            if "objects" in folders and "HEAD" in names:
                self.git(folder)
            packages = any(part in f"{folder}/" for part in PACKAGES)
            system = folder.startswith(SYSTEM) and not packages
            for name in names:
                if name.endswith(".pyc"):
                    wanted = name.split(".")[0] in self.modules
                else:
                    wanted = not system or name in self.names or name.endswith((*ZIPS, *TARS))
                if wanted:
                    self.file(Path(folder, name))

    def file(self, path: Path) -> None:
        try:
            facts = path.lstat()
            if not stat.S_ISREG(facts.st_mode):
                return
            if path.suffix == ".pyc":
                self.bytecode(path)
            elif path.name.endswith((*ZIPS, *TARS)) and facts.st_size <= LARGEST_ARCHIVE_BYTES:
                self.archive(path)
            elif facts.st_size <= LARGEST_BYTES:
                self.n_files += 1
                data = path.read_bytes()
                self.look(gzip.decompress(data) if path.suffix == ".gz" else data, str(path))
        except BROKEN:
            pass

    def archive(self, path: Path) -> None:
        self.n_files += 1
        if path.suffix in ZIPS:
            with zipfile.ZipFile(path) as zipped:
                for entry in zipped.infolist():
                    if Path(entry.filename).name in self.names and entry.file_size <= LARGEST_BYTES:
                        self.look(zipped.read(entry), f"{path}: {entry.filename}")
            return
        with tarfile.open(path) as tar:
            for member in tar:
                if Path(member.name).name in self.names and member.size <= LARGEST_BYTES:
                    file = tar.extractfile(member)
                    if file is not None:
                        self.look(file.read(), f"{path}: {member.name}")

    def bytecode(self, path: Path) -> None:
        data = path.read_bytes()
        if data[:4] != MAGIC_NUMBER:  # another Python's, which may crash this one
            return
        self.n_files += 1
        found = facts(marshal.loads(data[16:]))
        for name, code in self.codes.items():
            if code is not None and found == code:
                self.hit(str(path), f"bytecode of {name} as fixed", whole=True)

    def git(self, folder: str) -> None:
        """Every object, reachable or not: branches, tags, reflog, stash and what a rebase left are among them."""
        git = ["git", "-c", "safe.directory=*", "--git-dir", folder, "cat-file"]
        try:
            listed = output([*git, "--batch-check", "--batch-all-objects"])
            rows = [line.split() for line in listed.decode().splitlines()]
            wanted = [name for name, kind, size in rows if kind != "tree" and int(size) <= LARGEST_BYTES]
            data, at = output([*git, "--batch"], "\n".join(wanted)), 0
        except (OSError, subprocess.CalledProcessError):
            return
        while at < len(data):
            head, at = data[at : data.index(b"\n", at)], data.index(b"\n", at) + 1
            name, _, size = head.decode().split()
            self.look(data[at : at + int(size)], f"git object {name[:12]} of {folder}")
            at += int(size) + 1
            self.n_objects += 1


def output(argv: list[str], stdin: str = "") -> bytes:
    return subprocess.run(argv, input=stdin.encode(), stdout=subprocess.PIPE, check=True).stdout


def contents(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def plain(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def facts_of(source: bytes) -> Any:
    try:
        return facts(compile(source, "module", "exec", dont_inherit=True))
    except (SyntaxError, ValueError):
        return None


def facts(code: Any) -> Any:
    """What of bytecode does not depend on where the source lay."""
    if not isinstance(code, types.CodeType):
        return repr(code)
    return (code.co_code, code.co_names, code.co_varnames, [facts(item) for item in code.co_consts])


def has_route() -> bool:
    """Whether a packet to somewhere (a documentation address) would leave; none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return False
    return True


def main(wanted: str) -> None:
    began = time.monotonic()
    search = Search(**json.loads(wanted))
    search.walk()
    found = {"hits": search.hits, "files": search.n_files, "objects": search.n_objects, "route": has_route()}
    print(json.dumps({**found, "seconds": time.monotonic() - began}))

"""A build context: the files that COPY and ADD may take, packed so that equal content gives equal bytes."""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths

from agentgym.errors import ImageError
from agentgym.sandbox.dockerfile import Instruction

_GLOB = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Packed:
    archive: bytes
    """A tar of what the sources name."""
    one_file: bool
    """It holds one file, and the target is its new name unless it is a folder."""


class Context:
    """The folder beside a Dockerfile; .dockerignore is honoured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pack(self, step: Instruction, arguments: Sequence[str]) -> Packed:
        """What `COPY sources… target` (or ADD) copies. Raises ImageError."""
        for flag, value in step.flags.items():
            if flag not in ("chown", "chmod"):
                raise ImageError(f"{step}: of the flags --chown and --chmod are supported, found --{flag}={value}")
        if len(arguments) < 2:
            raise ImageError(f"{step}: wanted at least one source and a destination")
        *sources, target = arguments
        mode = int(step.flags["chmod"], 8) if "chmod" in step.flags else None
        buffer, n_archives = io.BytesIO(), 0
        matches = [path for source in sources for path in self._matches(step, source)]
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for match in matches:
                if step.keyword == "ADD" and match.is_file() and tarfile.is_tarfile(match):
                    _repack(match, archive)
                    n_archives += 1
                else:
                    self._add(step, archive, match, mode)
        into_folder = target.endswith("/") or len(matches) > 1 or matches[0].is_dir() or n_archives > 0
        return Packed(buffer.getvalue(), one_file=not into_folder)

    def _matches(self, step: Instruction, source: str) -> list[Path]:
        if "://" in source:
            raise ImageError(f"{step}: {source} is an address; fetch it in a RUN step, pinned by hash")
        relative = posixpath.normpath(source.lstrip("/") or ".")
        if relative.startswith(".."):
            raise ImageError(f"{step}: {source} is outside the build context")
        found = sorted(self.folder.glob(relative)) if _GLOB & set(relative) else [self.folder / relative]
        allowed = self._allowed()
        found = [path for path in found if path.exists() and (path == self.folder or self._name(path) in allowed)]
        if not found:
            raise ImageError(f"{step}: {source} is not in {self.folder} (or .dockerignore leaves it out)")
        for path in found:
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise ImageError(f"{step}: {source} is a link to {path.resolve()}, outside the build context")
        return found

    def _allowed(self) -> set[str]:
        ignore = self.folder / ".dockerignore"
        lines = [line.strip() for line in ignore.read_text().splitlines()] if ignore.exists() else []
        patterns = [line for line in lines if line and not line.startswith("#")]
        # the third argument is a file to keep in spite of the patterns: none
        allowed = {str(name) for name in exclude_paths(str(self.folder), patterns, "\0")}
        return allowed - {".dockerignore"} if ".dockerignore" in patterns else allowed

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.folder))

    def _add(self, step: Instruction, archive: tarfile.TarFile, match: Path, mode: int | None) -> None:
        allowed = self._allowed()
        for path, name in _members(match):
            if path != match and self._name(path) not in allowed:
                continue
            # a source that is a link is followed; links below a folder are copied as links
            info = archive.gettarinfo(str(path.resolve() if path == match else path), name)
            if info is None:
                raise ImageError(f"{step}: {path} is neither a file nor a folder nor a link")
            info.uid = info.gid = 0
            info.mtime = 0
            info.uname = info.gname = "root"
            info.mode = info.mode if mode is None or info.isdir() else mode
            with path.open("rb") if info.isreg() else io.BytesIO() as file:
                archive.addfile(info, file)


def _members(match: Path) -> Iterator[tuple[Path, str]]:
    """A file under its own name; a folder's content without the folder, as COPY does."""
    if not match.is_dir():
        yield match, match.name
        return
    for folder, names, files in os.walk(match):
        names.sort()
        for name in sorted(names + files):
            path = Path(folder, name)
            yield path, str(path.relative_to(match))


def _repack(source: Path, archive: tarfile.TarFile) -> None:
    """The members of a local archive, which ADD unpacks."""
    with tarfile.open(source) as opened:
        for member in opened:
            content = opened.extractfile(member) if member.isreg() else None
            archive.addfile(member, content)

"""A file of lines that is only ever appended to, and that survives whatever happens to its writers.

Appending is one write at the end of the file, under a lock, followed by fsync: several threads and processes may share
a file, and what `append` returned for is on disk. A writer killed in mid-write leaves a torn line: it stays where it
is, readers are handed it as any other (its content tells), and the next append starts afresh. Nothing is rewritten.
In a file named .gz each line is a gzip member of its own, so that the same holds of it, and any line can be read alone.
It does not know what the lines say.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agentgym.errors import UsageError

_GZIP = 31
"""zlib's number for gzip framing."""
_MEMBER = b"\x1f\x8b\x08\0\0\0\0\0"
"""How each of our gzip members begins: no name, no time."""
_CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or what is left of one."""

    data: bytes
    """Without compression; of a torn gzip member the bytes as they are in the file, which are no text."""
    offset: int
    """In the file."""
    end: int
    """Where the next begins."""


class LineFile:
    """Appends and reads lines. The file and its folder are made by the first append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._gzipped = path.suffix == ".gz"

    def append(self, line: bytes) -> None:
        """Put `line`, which ends in its only newline, on disk. Raises OSError, in which case the file is as it was."""
        if self._gzipped:
            line = zlib.compress(line, wbits=_GZIP)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            with _locked(descriptor, fcntl.LOCK_EX):
                end = os.fstat(descriptor).st_size
                # a torn gzip member needs no end: the next one's beginning is known when it is seen
                torn = not self._gzipped and end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
                data = b"\n" + line if torn else line
                try:
                    written = os.write(descriptor, data)
                    while written < len(data):  # a full disk writes less first and fails on the second try
                        written += os.write(descriptor, data[written:])
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if end == 0:
            _sync_folder(self.path.parent)

    def read(self, start: int = 0) -> Iterator[Line]:
        """The lines that are in the file now, from the offset `start` on, one at a time; none when there is no file.

        Raises UsageError at a gzip member of several lines, which are not ours.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            # no writer is in mid-write while the lock is held, so a torn line before this end is torn for good
            with _locked(file.fileno(), fcntl.LOCK_SH):
                end = os.fstat(file.fileno()).st_size
            while start < end:
                line = self._line(file, start, end)
                yield line
                start = line.end

    def read_at(self, offset: int) -> Line:
        """The line that begins at `offset`. Raises UsageError where the file has no more bytes, OSError."""
        with self.path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            if offset >= end:
                raise UsageError(f"{self.path}: has no line at byte {offset}, it ends at {end}")
            return self._line(file, offset, end)

    def _line(self, file: BinaryIO, offset: int, end: int) -> Line:
        if self._gzipped:
            line = _member(file, offset, end)
            if line is not None and line.data.find(b"\n", 0, -1) >= 0:
                raise UsageError(f"{self.path}: found several lines in one gzip member, wanted one in each; gunzip it")
            return line or _torn_member(file, offset, end)
        file.seek(offset)
        data = file.readline(end - offset)
        return Line(data, offset, offset + len(data))


def _member(file: BinaryIO, offset: int, end: int) -> Line | None:
    """The gzip member at `offset`; None where it is not whole."""
    decoder = zlib.decompressobj(wbits=_GZIP)
    parts = []
    file.seek(offset)
    at = offset
    while not decoder.eof:
        chunk = file.read(min(_CHUNK, end - at))
        at += len(chunk)
        try:
            parts.append(decoder.decompress(chunk))
        except zlib.error:
            return None
        if not chunk:
            return None
    return Line(b"".join(parts), offset, at - len(decoder.unused_data))


def _torn_member(file: BinaryIO, offset: int, end: int) -> Line:
    """What lies between `offset` and the next place where one of our members may begin."""
    with mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ) as content:
        found = content.find(_MEMBER, offset + 1)
        stop = end if found < 0 else found
        return Line(content[offset:stop], offset, stop)


@contextmanager
def _locked(descriptor: int, mode: int) -> Iterator[None]:
    fcntl.flock(descriptor, mode)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Two states of some files as a patch that `git apply` takes. Knows no sandbox: the states are tar archives."""

from __future__ import annotations

import difflib
import io
import itertools
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_FILE_BYTES = 1 << 20
"""A larger file is only named."""
_COMPARISONS = 1 << 22
"""Pairs of lines beyond which a file is shown as replaced: to find what stayed takes time by their number."""
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\\udc80-\udcff]')


@dataclass(frozen=True, slots=True)
class _File:
    mode: str
    """As git writes it; a link is a file whose content is its target."""
    data: bytes

    @property
    def lines(self) -> list[str] | None:
        """With their ends, which are \\n and nothing else; None where it is no text, or too much."""
        if len(self.data) > _FILE_BYTES or b"\0" in self.data:
            return None
        try:
            return io.StringIO(self.data.decode(), newline="\n").readlines()
        except UnicodeDecodeError:
            return None


def render(before: bytes, after: bytes, *, laid_over: Iterable[bytes] = ()) -> str:
    """What leads from `before`, with what was `laid_over` it in turn, to `after`; a path in only one of them is deleted
    or new. Folders are not shown, and of binary and large files whose content differs only the name, which `git apply`
    skips."""
    old, new = _files(before), _files(after)
    for archive in laid_over:
        old |= _files(archive)
    return "".join(line for name in sorted({*old, *new}) for line in _difference(name, old.get(name), new.get(name)))


def _files(archive: bytes) -> dict[str, _File]:
    found: dict[str, _File] = {}
    if archive:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for member in opened:
                if member.issym():
                    found[member.name] = _File("120000", member.linkname.encode("utf-8", "surrogateescape"))
                elif not member.isdir() and (file := opened.extractfile(member)) is not None:
                    found[member.name] = _File("100755" if member.mode & 0o111 else "100644", file.read())
    return found


def _difference(name: str, old: _File | None, new: _File | None) -> Iterator[str]:
    if old == new:
        return
    if old and new and "120000" in (old.mode, new.mode) and old.mode != new.mode:
        yield from _difference(name, old, None)
        yield from _difference(name, None, new)
        return
    was, now = old.lines if old else [], new.lines if new else []
    same = old is not None and new is not None and old.data == new.data
    before, after = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    if (was is None or now is None) and not same:
        yield f"Binary files {before} and {after} differ\n"
        return
    yield f"diff --git {before} {after}\n"
    if old and not new:
        yield f"deleted file mode {old.mode}\n"
    elif new and not old:
        yield f"new file mode {new.mode}\n"
    elif old and new and old.mode != new.mode:
        yield f"old mode {old.mode}\nnew mode {new.mode}\n"
    if was is not None and now is not None and was != now:
        tab = "\t" if " " in name else ""  # else git takes the space for the name's end
        yield f"--- {before if old else '/dev/null'}{tab}\n+++ {after if new else '/dev/null'}{tab}\n"
        for line in _hunks(was, now):
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _hunks(was: list[str], now: list[str]) -> Iterator[str]:
    head = _equal(zip(was, now, strict=False))
    tail = _equal(zip(reversed(was[head:]), reversed(now[head:]), strict=False))
    if (len(was) - head - tail) * (len(now) - head - tail) <= _COMPARISONS:
        yield from itertools.islice(difflib.unified_diff(was, now), 2, None)
    else:
        yield f"@@ -1,{len(was)} +1,{len(now)} @@\n"
        yield from (f"-{line}" for line in was)
        yield from (f"+{line}" for line in now)


def _equal(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _quoted(name: str) -> str:
    """As git writes names: in quotes where they hold what could be misread."""
    escaped = _UNSAFE.sub(lambda found: "".join(f"\\{byte:03o}" for byte in os.fsencode(found[0])), name)
    return name if escaped == name else f'"{escaped}"'

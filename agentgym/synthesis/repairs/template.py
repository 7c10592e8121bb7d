"""A template: a small correct function with holes for names and constants, what it does, and what it is called with.

A hole is `$` and a role, with a digit where a function has several of one role: `$x`, `$acc`, `$acc2`, `$k`. What may
fill a role is said in `names.py`; how the function is broken in `bugs.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_HOLE = re.compile(r"\$([a-z]+\d?(?:_up|_down)?)")


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of function."""

    name: str
    doc: str
    """One sentence in plain words; constants as holes, names never."""
    code: str
    """Source that does what `doc` says."""
    inputs: str
    """Kinds of its arguments (`inputs.py`), in order, separated by blanks."""
    drops: tuple[str, ...] = ()
    """Pieces of `code` that may be missing: a case that was forgotten."""
    unseen: bool = False
    """Never trained on: the whole template is kept for `Split.UNSEEN`."""

    @property
    def holes(self) -> tuple[str, ...]:
        """By first appearance."""
        return tuple(dict.fromkeys(_HOLE.findall(self.code)))


def role(hole: str) -> str:
    """`acc2` -> `acc`."""
    return hole.rstrip("0123456789")


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with every hole filled. KeyError where a value is missing."""
    return _HOLE.sub(lambda match: values[match[1]], text)

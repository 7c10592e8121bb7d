"""What can be broken in a template: every place, and what may stand there instead.

A bug is said in the template's own terms, holes included, so that it is the same bug under other names and constants.
That it shows is not known here: `repair.py` runs it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentgym.synthesis.repairs.lexemes import lexemes
from agentgym.synthesis.repairs.names import is_constant
from agentgym.synthesis.repairs.template import Template

_SWAPS: dict[str, tuple[str, ...]] = {
    " < ": (" <= ", " > ", " >= "),
    " <= ": (" < ", " >= ", " > "),
    " > ": (" >= ", " < ", " <= "),
    " >= ": (" > ", " <= ", " < "),
    " == ": (" != ",),
    " != ": (" == ",),
    " + ": (" - ", " * "),
    " - ": (" + ",),
    " * ": (" + ",),
    " // ": (" % ",),
    " % ": (" // ",),
    " += ": (" -= ", " = ", " *= "),
    " *= ": (" += ",),
    " //= ": (" %= ", " -= "),
    " in ": (" not in ",),
    " not in ": (" in ",),
    " and ": (" or ",),
    "if ": ("if not ",),
    "if not ": ("if ",),
    "break": ("continue",),
    "continue": ("break",),
    "True": ("False",),
    "False": ("True",),
    "append": ("extend",),
    "extend": ("append",),
    "min": ("max",),
    "max": ("min",),
    "upper": ("lower",),
    "lower": ("upper",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "0": ("1",),
    "1": ("0", "2"),
    "2": ("1", "3"),
    "num": ("num_up", "num_down"),
}


@dataclass(frozen=True, slots=True)
class Bug:
    """One piece of a template's code replaced by another."""

    start: int
    """Offset in the code."""
    old: str
    new: str
    kind: str
    """operator, number, constant, name, argument, case, place: what was mistaken."""

    def apply(self, code: str) -> str:
        """The broken code, holes included."""
        assert code.startswith(self.old, self.start)
        return code[: self.start] + self.new + code[self.start + len(self.old) :]


@functools.cache
def bugs(template: Template) -> tuple[Bug, ...]:
    """All that may be tried, in the order of their places."""
    return tuple(sorted(_bugs(template), key=lambda bug: (bug.start, bug.old, bug.new)))


def n_sites(template: Template) -> int:
    """Places where the template can be broken."""
    return len({bug.start for bug in bugs(template)})


def _bugs(template: Template) -> Iterator[Bug]:
    code = template.code
    pieces = _joined(lexemes(code, holes=True))
    starts = [0]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    body = code.index("\n")
    known: list[str] = []
    for at, (start, piece) in enumerate(zip(starts, pieces, strict=False)):
        if start > body:
            if not (piece == " in " and _is_loop(pieces, at)):
                yield from _swapped(start, piece)
            if _is_name(piece) and not _is_bound(pieces, at):
                yield from (Bug(start, piece, name, "name") for name in known if name != piece)
            if _are_arguments(pieces, at):
                first, comma, second = pieces[at : at + 3]
                yield Bug(start, first + comma + second, second + comma + first, "argument")
        if _is_name(piece) and piece not in known and piece != "$f":
            known.append(piece)
    for case in template.drops:
        yield Bug(code.index(case), case, "", "case")
    lines = code.splitlines(keepends=True)
    if len(lines) > 2 and lines[-1].startswith("    return") and lines[-2].startswith("        "):
        yield Bug(len(code) - len(lines[-1]), "    ", "        ", "place")


def _joined(pieces: list[str]) -> list[str]:
    """`if ` and `not ` as one."""
    joined: list[str] = []
    for piece in pieces:
        if piece == "not " and joined and joined[-1] == "if ":
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _swapped(start: int, piece: str) -> Iterator[Bug]:
    if piece.startswith("$") and is_constant(piece[1:]):
        if piece.startswith("$num"):
            yield Bug(start, piece, f"{piece}_up", "constant")
            yield Bug(start, piece, f"{piece}_down", "constant")
        return
    kind = "number" if piece.isdigit() else "operator"
    yield from (Bug(start, piece, other, kind) for other in _SWAPS.get(piece, ()))


def _is_name(piece: str) -> bool:
    return piece.startswith("$") and not is_constant(piece[1:])


def _is_bound(pieces: list[str], at: int) -> bool:
    """Whether the name is given its value here: in front of ` = ` or ` += `, or between `for` and `in`."""
    head = _head(pieces, at)
    rest = "".join(pieces[at + 1 : pieces.index("\n", at)])
    if head.startswith("for ") and " in " not in head:
        return True
    return (head == "" or head.endswith(",")) and re.match(r"(?:, \$\w+)* \S*= ", rest) is not None


def _is_loop(pieces: list[str], at: int) -> bool:
    return _head(pieces, at).startswith("for ")


def _head(pieces: list[str], at: int) -> str:
    """The line's beginning up to a piece, indentation left out."""
    line = at
    while line > 0 and pieces[line - 1] != "\n":
        line -= 1
    return "".join(pieces[line:at]).strip()


def _are_arguments(pieces: list[str], at: int) -> bool:
    """Whether two plain arguments of a call stand here."""
    return (
        pieces[at + 1 : at + 2] == [", "]
        and at > 1
        and pieces[at - 1] == "("
        and len(pieces) > at + 3
        and pieces[at + 3] == ")"
        and _is_plain(pieces[at])
        and _is_plain(pieces[at + 2])
        and pieces[at] != pieces[at + 2]
    )


def _is_plain(piece: str) -> bool:
    return piece.startswith("$") or piece.isalnum()

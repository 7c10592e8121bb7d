"""What fills the holes of a template: identifiers by what they stand for, and constants. No name has two roles."""

from __future__ import annotations

from agentgym.synthesis.repairs.template import role

NAMES: dict[str, tuple[str, ...]] = {
    "f": tuple("solve compute collect process handle apply scan build measure check derive select".split()),
    "xs": tuple("items values numbers data rows records entries series points nums samples left".split()),
    "ys": tuple("others second extra weights right targets limits more marks lows".split()),
    "x": tuple("item value number row record entry elem point num sample v x".split()),
    "y": tuple("other near weight next_one target b y w mate peer".split()),
    "acc": tuple("total result count best out answer current state kept found res acc".split()),
    "d": tuple("table index counts lookup seen groups mapping cache bins tally memo store".split()),
    "s": tuple("text line phrase word name title label message string code query s".split()),
    "c": tuple("char letter symbol ch sign glyph mark c part token".split()),
    "n": tuple("n limit size width amount depth level bound stop budget".split()),
    "i": tuple("i j pos idx at where step k offset slot".split()),
}
"""By role: function, sequences and their items, accumulators, tables, texts and their characters, sizes, positions."""

CONSTANTS: dict[str, tuple[str, ...]] = {
    "num": tuple(str(number) for number in range(2, 14)),
    "let": ("a", "b", "c", "d", "e", "g", "k", "m", "o", "s", "t", "z"),
    "sep": ("-", "_", ":", ".", "/", ";", "#", "+"),
}
"""By role: small numbers, letters, separators."""


def choices(hole: str) -> tuple[str, ...]:
    """All that may fill a hole."""
    return NAMES.get(role(hole)) or CONSTANTS[role(hole)]


def is_constant(hole: str) -> bool:
    return role(hole) in CONSTANTS

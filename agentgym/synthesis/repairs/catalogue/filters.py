"""Templates that pick some of many by a condition: every use with every condition, so that each is in many templates.

Some combinations are unseen, though what they combine is seen apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentgym.synthesis.repairs.template import Template

COMPARISONS = ("above", "at_least", "below", "at_most", "equal", "other")
_SIGNS = dict(zip(COMPARISONS, (" > ", " >= ", " < ", " <= ", " == ", " != "), strict=True))

NUMBERS = {
    "above": "above $num",
    "at_least": "of at least $num",
    "below": "below $num",
    "at_most": "of at most $num",
    "equal": "equal to $num",
    "other": "other than $num",
}
SIZES = {
    "above": "of more than $num letters",
    "at_least": "of at least $num letters",
    "below": "of less than $num letters",
    "at_most": "of at most $num letters",
    "equal": "of just $num letters",
    "other": "of other than $num letters",
}
"""How a comparison is said of numbers and of the lengths of words."""

USES_OF_NUMBERS = {
    "count": ("Count the numbers {}.", """\
def $f($xs):
    $acc = 0
    for $x in $xs:
        if $x{}$num:
            $acc += 1
    return $acc
"""),
    "sum": ("Add up the numbers {}.", """\
def $f($xs):
    $acc = 0
    for $x in $xs:
        if $x{}$num:
            $acc += $x
    return $acc
"""),
    "product": ("Multiply the numbers {}.", """\
def $f($xs):
    $acc = 1
    for $x in $xs:
        if $x{}$num:
            $acc *= $x
    return $acc
"""),
    "keep": ("List the numbers {}.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        if $x{}$num:
            $acc.append($x)
    return $acc
"""),
    "double": ("List twice the numbers {}.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        if $x{}$num:
            $acc.append($x * 2)
    return $acc
"""),
    "places": ("List the places of the numbers {}.", """\
def $f($xs):
    $acc = []
    for $i, $x in enumerate($xs):
        if $x{}$num:
            $acc.append($i)
    return $acc
"""),
    "first": ("Find the first of the numbers {}, else 0.", """\
def $f($xs):
    for $x in $xs:
        if $x{}$num:
            return $x
    return 0
"""),
    "last": ("Find the last of the numbers {}, else 0.", """\
def $f($xs):
    $acc = 0
    for $x in $xs:
        if $x{}$num:
            $acc = $x
    return $acc
"""),
    "first_place": ("Find the place of the first of the numbers {}, else -1.", """\
def $f($xs):
    for $i, $x in enumerate($xs):
        if $x{}$num:
            return $i
    return -1
"""),
    "any": ("Tell whether there are numbers {}.", """\
def $f($xs):
    for $x in $xs:
        if $x{}$num:
            return True
    return False
"""),
    "none": ("Tell whether there are no numbers {}.", """\
def $f($xs):
    for $x in $xs:
        if $x{}$num:
            return False
    return True
"""),
}  # fmt: skip

USES_OF_WORDS = {
    "count_words": ("Count the words {}.", """\
def $f($xs):
    $acc = 0
    for $s in $xs:
        if len($s){}$num:
            $acc += 1
    return $acc
"""),
    "keep_words": ("List the words {}.", """\
def $f($xs):
    $acc = []
    for $s in $xs:
        if len($s){}$num:
            $acc.append($s)
    return $acc
"""),
    "letters_of": ("Add up the lengths of the words {}.", """\
def $f($xs):
    $acc = 0
    for $s in $xs:
        if len($s){}$num:
            $acc += len($s)
    return $acc
"""),
    "join": ("Join the words {}.", """\
def $f($xs):
    $acc = ""
    for $s in $xs:
        if len($s){}$num:
            $acc += $s
    return $acc
"""),
    "capitals_of": ("List the words {}, in upper case.", """\
def $f($xs):
    $acc = []
    for $s in $xs:
        if len($s){}$num:
            $acc.append($s.upper())
    return $acc
"""),
}  # fmt: skip

USES_OF_TABLES = {
    "count_values": ("Count the values {}.", """\
def $f($d):
    $acc = 0
    for $n in $d.values():
        if $n{}$num:
            $acc += 1
    return $acc
"""),
    "sum_values": ("Add up the values {}.", """\
def $f($d):
    $acc = 0
    for $n in $d.values():
        if $n{}$num:
            $acc += $n
    return $acc
"""),
    "keys": ("List the keys of the values {}.", """\
def $f($d):
    $acc = []
    for $c, $n in $d.items():
        if $n{}$num:
            $acc.append($c)
    return $acc
"""),
}  # fmt: skip


def _crossed(uses: dict[str, tuple[str, str]], said: dict[str, str], inputs: str) -> Iterator[Template]:
    """Every use with every comparison; one in six is unseen, another one for each use."""
    for row, (use, (doc, code)) in enumerate(uses.items()):
        for column, comparison in enumerate(COMPARISONS):
            yield Template(
                f"{use}_{comparison}",
                doc.format(said[comparison]),
                code.format(_SIGNS[comparison]),
                inputs,
                unseen=(row + column) % len(COMPARISONS) == 0,
            )


FILTERS = (
    *_crossed(USES_OF_NUMBERS, NUMBERS, "ints"),
    *_crossed(USES_OF_WORDS, SIZES, "words"),
    *_crossed(USES_OF_TABLES, NUMBERS, "table"),
)

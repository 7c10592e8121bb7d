"""Arguments to call a function with, by kind: edges first, then at random around the constants it is about."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

WORDS = ("tea", "sun", "kiosk", "at", "meadow", "b", "cedar", "moment", "zebra", "dog", "gate", "atlas", "mist",
         "eagle", "crab", "tomato", "goods", "oak")  # fmt: skip


def _int(rng: random.Random, focus: Sequence[int]) -> int:
    """Often at, or next to, a number of interest."""
    if focus and rng.random() < 0.6:
        return rng.choice(focus) + rng.choice((-1, 0, 1))
    return rng.randint(-4, 24)


def _ints(rng: random.Random, focus: Sequence[int]) -> list[int]:
    return [_int(rng, focus) for _ in range(_length(rng, focus, (0, 1, 2, 3, 3, 4, 5, 7)))]


def _length(rng: random.Random, focus: Sequence[int], usual: Sequence[int]) -> int:
    """At times at, or next to, a number of interest."""
    if focus and rng.random() < 0.3:
        return max(0, rng.choice(focus) + rng.choice((-1, 0, 1, 2)))
    return rng.choice(usual)


def _size(rng: random.Random, focus: Sequence[int]) -> int:
    return rng.randint(0, 7)


def _large(rng: random.Random, focus: Sequence[int]) -> int:
    return rng.choice((rng.randint(0, 30), rng.randint(0, 9999), *(n * rng.randint(0, 12) for n in focus)))


def _word(rng: random.Random, focus: Sequence[int] = ()) -> str:
    word = rng.choice(WORDS)
    length = _length(rng, focus, (len(word),))
    return (word + rng.choice(WORDS) * length)[:length]


def _text(rng: random.Random, focus: Sequence[int]) -> str:
    if rng.random() < 0.2:
        return ""
    word = _word(rng, focus) or "b"
    return rng.choice((word, word + _word(rng), word + word[::-1], word + word[-2::-1]))


def _words(rng: random.Random, focus: Sequence[int]) -> list[str]:
    return [_word(rng, focus) or "b" for _ in range(rng.choice((0, 1, 2, 3, 4, 5)))]


def _table(rng: random.Random, focus: Sequence[int]) -> dict[str, int]:
    return {_word(rng): _int(rng, focus) for _ in range(rng.choice((0, 1, 2, 3, 4)))}


def _fields(rng: random.Random, focus: Sequence[int]) -> str:
    parts = [rng.choice((_word(rng), _word(rng).capitalize(), "")) for _ in range(rng.choice((1, 2, 3, 4)))]
    return rng.choice("-_:./;#+").join(parts)


_KINDS: dict[str, Callable[[random.Random, Sequence[int]], Any]] = {
    "int": _int,
    "ints": _ints,
    "size": _size,
    "large": _large,
    "text": _text,
    "words": _words,
    "table": _table,
    "fields": _fields,
}


def arguments(kinds: str, rng: random.Random, focus: Sequence[int], letter: str, separator: str) -> tuple[Any, ...]:
    """One call's. `focus`: numbers of interest; `letter` and `separator`: put into texts, empty for none."""
    made = [_KINDS[kind](rng, focus) for kind in kinds.split()]
    return tuple(_about(value, rng, letter, separator) for value in made)


def _about(value: Any, rng: random.Random, letter: str, separator: str) -> Any:
    """Texts with the letter and the separator of interest in them."""
    if isinstance(value, list):
        return [_about(item, rng, letter, separator) for item in value]
    if isinstance(value, str):
        for mark in "-_:./;#+":
            value = value.replace(mark, separator or mark)
        if letter and rng.random() < 0.6:
            at = rng.choice((0, len(value), rng.randint(0, len(value))))
            value = value[:at] + letter + value[at:]
    return value

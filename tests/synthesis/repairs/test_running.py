"""Broken functions end, say what they gave, and leave the tracing of others alone."""

from __future__ import annotations

import gc
import sys

import pytest

from agentgym.synthesis.repairs.running import canonical, compiled, outcome


@pytest.mark.parametrize(
    ("body", "said"),
    [("return x + 1", "3"), ("return [x, {2: 'b', 1: 'a'}]", "[2, {2: 'b', 1: 'a'}]"),
     ("return {2: 'b', 1: 'a'}", "{1: 'a', 2: 'b'}"), ("return y", "raises NameError"),
     ("\n    while True:\n        x += 1", "raises Endless")],
)  # fmt: skip
def test_outcome(body: str, said: str) -> None:
    before = sys.gettrace()
    assert outcome(compiled(f"def f(x):\n    {body}\n"), (2,)) == said
    assert sys.gettrace() is before


def test_arguments_are_left_as_they_are() -> None:
    call = ([3, 1],)
    assert outcome(compiled("def f(xs):\n    xs.sort()\n    return xs\n"), call) == "[1, 3]"
    assert call == ([3, 1],)


def test_callbacks_of_others_are_neither_counted_nor_interrupted() -> None:
    ended = []

    def callback(_phase: str, _info: dict[str, int]) -> None:
        ended.append(sum(1 for _ in range(1000)))

    gc.callbacks.append(callback)
    try:
        assert outcome(compiled("def f(x):\n    import gc\n    return gc.collect() >= 0\n"), (2,)) == "True"
    finally:
        gc.callbacks.remove(callback)
    assert ended[-2:] == [1000, 1000]


def test_equal_tables_read_the_same() -> None:
    assert canonical({1: 2, 3: 4}) == canonical({3: 4, 1: 2})
    assert canonical({1: True}) != canonical({1: 1})

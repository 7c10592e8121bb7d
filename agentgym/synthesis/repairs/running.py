"""Runs a function of the family in this process: our own code, broken by us; a budget of lines is guard enough.

What an agent wrote runs in a sandbox and nowhere else: see `files/grade.py`.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAME = "repair.py"
LINES = 400
"""Of one call, at most."""


class Endless(Exception):
    """The call took more than LINES lines."""


def compiled(source: str) -> Callable[..., Any]:
    """The one function that `source` defines. Raises SyntaxError."""
    names: dict[str, Any] = {}
    exec(compile(source, _NAME, "exec"), names)
    function: Callable[..., Any] = next(value for name, value in names.items() if name != "__builtins__")
    return function


def outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """What a call gives: `canonical` text of its value, or `raises` and the exception's name."""
    try:
        with _budget(LINES):
            return canonical(function(*copy.deepcopy(arguments)))
    except Exception as error:
        return f"raises {type(error).__name__}"


def canonical(value: Any) -> str:
    """`repr`, with the keys of a dict in order: two equal values of the same types read the same."""
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{key!r}: {canonical(item)}" for key, item in value.items())) + "}"
    return repr(value)


@contextmanager
def _budget(left: int) -> Iterator[None]:
    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != _NAME:  # a callback of the garbage collector, say: not to be interrupted
            return None
        left -= 1
        if left < 0:
            raise Endless
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)

"""The known name that an unknown one was meant to be. Knows no kind of name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(wanted: str, known: Iterable[str], *, what: str) -> str:
    """The end of an error message, ` (nearest known WHAT: "...")`; nothing where none is near."""
    close = get_close_matches(wanted, list(known), n=1)
    return f' (nearest known {what}: "{close[0]}")' if close else ""

"""Why a request gets no reply, before any dialect has put it into its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal[
    "bad_request",
    "unknown_key",
    "not_found",
    "wrong_method",
    "too_large",
    "sealed",
    "over_budget",
    "context_overflow",
    "updating",
    "no_reply",
]

STATUS: Mapping[Kind, int] = {
    "bad_request": 400,
    "unknown_key": 401,
    "not_found": 404,
    "wrong_method": 405,
    "too_large": 413,
    "sealed": 409,
    "over_budget": 400,  # not 429, which agents wait out and try again, some for ever
    "context_overflow": 400,
    "updating": 503,
    "no_reply": 502,
}
"""The same in every dialect."""


class Fault(Exception):
    """One line: what was found, what was wanted, what to do."""

    def __init__(self, kind: Kind, message: str, *, retry_after_s: float | None = None) -> None:
        self.kind: Kind = kind
        self.message = " ".join(message.split())
        self.retry_after_s = retry_after_s
        """When to come again, where coming again is of use."""
        super().__init__(self.message)

    @property
    def status(self) -> int:
        return STATUS[self.kind]

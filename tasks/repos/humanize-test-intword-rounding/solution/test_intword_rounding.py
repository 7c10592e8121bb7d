"""intword raises the unit when rounding reaches the next one."""

from __future__ import annotations

import pytest

import humanize


@pytest.mark.parametrize(
    "value, expected",
    [
        (999_940, "999.9 thousand"),
        (999_999, "1.0 million"),
        (999_999_999, "1.0 billion"),
        ("999999999", "1.0 billion"),
        (-999_999, "-1.0 million"),
        (-999_999_999, "-1.0 billion"),
        (10**24 - 1, "1.0 septillion"),
        (-(10**27) + 1, "-1.0 octillion"),
    ],
)
def test_default_format(value: int | str, expected: str) -> None:
    assert humanize.intword(value) == expected


@pytest.mark.parametrize(
    "value, fmt, expected",
    [
        (999_999_999, "%.0f", "1 billion"),
        (999_999_999, "%.3f", "1.000 billion"),
        (999_999_999, "%.6f", "999.999999 million"),
        (10**24 - 1, "%.0f", "1 septillion"),
    ],
)
def test_other_formats(value: int, fmt: str, expected: str) -> None:
    assert humanize.intword(value, fmt) == expected

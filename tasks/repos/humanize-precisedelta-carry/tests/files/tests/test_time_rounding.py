from __future__ import annotations

import datetime as dt

import pytest

import humanize


@pytest.mark.parametrize(
    "delta, expected",
    [
        (dt.timedelta(hours=1, minutes=59, seconds=59.999), "2 hours"),
        (dt.timedelta(hours=23, minutes=59, seconds=59.996), "1 day"),
        (dt.timedelta(days=2, hours=23, minutes=59, seconds=59.999), "3 days"),
        (dt.timedelta(days=30, hours=23, minutes=59, seconds=59.999), "1 month"),
    ],
)
def test_rounded_seconds_reach_every_larger_unit(delta: dt.timedelta, expected: str) -> None:
    assert humanize.precisedelta(delta) == expected


@pytest.mark.parametrize(
    "delta, unit, fmt, expected",
    [
        (dt.timedelta(days=4, hours=23, minutes=59, seconds=45), "minutes", "%0.0f", "5 days"),
        (dt.timedelta(seconds=59, microseconds=999_999), "milliseconds", "%0.0f", "1 minute"),
        (dt.timedelta(days=6, hours=23, minutes=31), "hours", "%0.0f", "7 days"),
        (dt.timedelta(days=30, hours=23, minutes=31), "hours", "%0.0f", "1 month"),
    ],
)
def test_rounding_starts_at_the_minimum_unit(delta: dt.timedelta, unit: str, fmt: str, expected: str) -> None:
    assert humanize.precisedelta(delta, minimum_unit=unit, format=fmt) == expected


def test_suppressed_units_take_no_part() -> None:
    delta = dt.timedelta(hours=1, minutes=59, seconds=59.999)
    assert humanize.precisedelta(delta, suppress=["hours"]) == "120 minutes"


def test_one_unit_rounds_up() -> None:
    assert humanize.precisedelta(dt.timedelta(seconds=59.999)) == "1 minute"

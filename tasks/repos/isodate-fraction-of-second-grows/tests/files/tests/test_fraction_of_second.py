"""Formatting of durations whose fraction of a second begins with zeros."""

from datetime import timedelta

import pytest

from isodate import Duration, duration_isoformat, parse_duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=1, milliseconds=50), "PT1.05S"),
        (timedelta(milliseconds=40), "PT0.04S"),
        (timedelta(microseconds=1), "PT0.000001S"),
        (timedelta(hours=2, seconds=59, microseconds=10), "PT2H59.00001S"),
        (-timedelta(days=3, seconds=7, microseconds=1200), "-P3DT7.0012S"),
    ],
)
def test_leading_zeros_are_kept(duration, text):
    assert duration_isoformat(duration) == text


def test_duration_with_months():
    duration = Duration(years=1, months=2, seconds=5, microseconds=9000)
    assert duration_isoformat(duration) == "P1Y2MT5.009S"
    assert parse_duration(duration_isoformat(duration)) == duration


def test_every_power_of_ten_round_trips():
    for exponent in range(6):
        for digit in (1, 9):
            duration = timedelta(seconds=30, microseconds=digit * 10**exponent)
            assert parse_duration(duration_isoformat(duration)) == duration


def test_no_trailing_zeros():
    assert duration_isoformat(timedelta(seconds=1.5)) == "PT1.5S"
    assert duration_isoformat(timedelta(seconds=10)) == "PT10S"
    assert duration_isoformat(timedelta(seconds=20, milliseconds=250)) == "PT20.25S"

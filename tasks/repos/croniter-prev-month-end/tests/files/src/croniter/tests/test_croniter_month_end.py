from datetime import datetime, timedelta

import pytest

from croniter import croniter


def expected_dates(start, days, months, count):
    """The dates before start, newest first, found by looking at every single day."""
    day = start.replace(hour=0, minute=0)
    if day == start:
        day -= timedelta(days=1)
    found = []
    while len(found) < count:
        if day.day in days and day.month in months:
            found.append(day)
        day -= timedelta(days=1)
    return found


def backwards(expression, start, count):
    schedule = croniter(expression, start)
    return [schedule.get_prev(datetime) for _ in range(count)]


STARTS = [datetime(2023, 1, 1) + timedelta(days=9 * n, hours=5) for n in range(90)]
YEAR = range(1, 13)


@pytest.mark.parametrize(
    ("field", "days"),
    [("31", {31}), ("30", {30}), ("29", {29}), ("15,31", {15, 31}), ("1,29-31", {1, 29, 30, 31})],
)
def test_days_that_some_months_lack(field, days):
    for start in STARTS:
        assert backwards(f"0 0 {field} * *", start, 4) == expected_dates(start, days, YEAR, 4)


def test_days_and_months():
    for start in STARTS:
        assert backwards("0 0 28,31 1,3,4 *", start, 4) == expected_dates(start, {28, 31}, {1, 3, 4}, 4)


def test_time_of_day_is_kept():
    schedule = croniter("45 18 31 * *", datetime(2024, 3, 10, 12, 0))
    assert [schedule.get_prev(datetime) for _ in range(3)] == [
        datetime(2024, 1, 31, 18, 45),
        datetime(2023, 12, 31, 18, 45),
        datetime(2023, 10, 31, 18, 45),
    ]


def test_back_and_forth():
    schedule = croniter("30 6 29,30 * *", datetime(2024, 1, 1))
    forwards = [schedule.get_next(datetime) for _ in range(25)]
    assert [schedule.get_prev(datetime) for _ in range(24)] == forwards[-2::-1]


def test_days_that_every_month_has():
    for start in STARTS:
        assert backwards("0 0 1,14,28 * *", start, 4) == expected_dates(start, {1, 14, 28}, YEAR, 4)

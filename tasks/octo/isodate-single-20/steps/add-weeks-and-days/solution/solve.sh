#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/isodate/isoduration.py')
before = 'def duration_isoformat(tduration, format=D_DEFAULT):'
new = 'def weeks_and_days(days: int) -> tuple:\n    """Split days into weeks and the days that are left.\n\n    Args:\n        days: A number of days, not negative.\n\n    Returns:\n        What was asked for.\n    """\n    return divmod(days, 7)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_weeks_and_days.py <<'END'
from isodate.isoduration import weeks_and_days


def test_weeks_and_days_1():
    assert weeks_and_days(10) == (1, 3)


def test_weeks_and_days_2():
    assert weeks_and_days(0) == (0, 0)


def test_weeks_and_days_3():
    assert weeks_and_days(7) == (1, 0)
END

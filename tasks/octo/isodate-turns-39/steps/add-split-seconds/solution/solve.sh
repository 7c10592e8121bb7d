#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/isodate/isoduration.py')
before = 'def duration_isoformat(tduration, format=D_DEFAULT):'
new = 'def split_seconds(seconds: int) -> tuple:\n    """Split seconds into hours, minutes and seconds.\n\n    Args:\n        seconds: A number of seconds, not negative.\n\n    Returns:\n        What was asked for.\n    """\n    minutes, rest = divmod(seconds, 60)\n    hours, minutes = divmod(minutes, 60)\n    return hours, minutes, rest\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_split_seconds.py <<'END'
from isodate.isoduration import split_seconds


def test_split_seconds_1():
    assert split_seconds(3661) == (1, 1, 1)


def test_split_seconds_2():
    assert split_seconds(0) == (0, 0, 0)


def test_split_seconds_3():
    assert split_seconds(59) == (0, 0, 59)
END

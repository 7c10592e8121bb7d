#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/isodate/isoduration.py')
before = 'def duration_isoformat(tduration, format=D_DEFAULT):'
new = 'def pad_number(value: int, width: int = 2) -> str:\n    """Write a number with zeros in front.\n\n    Args:\n        value: The number, not negative.\n        width: Digits at least.\n\n    Returns:\n        What was asked for.\n    """\n    return str(value).rjust(width, "0")\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_pad_number.py <<'END'
from isodate.isoduration import pad_number


def test_pad_number_1():
    assert pad_number(7) == "07"


def test_pad_number_2():
    assert pad_number(123) == "123"


def test_pad_number_3():
    assert pad_number(5, 4) == "0005"
END

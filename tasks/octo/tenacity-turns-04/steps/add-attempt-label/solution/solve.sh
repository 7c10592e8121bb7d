#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tenacity/_utils.py')
before = 'def is_coroutine_callable(call: typing.Callable[..., typing.Any]) -> bool:'
new = 'def attempt_label(number: int, most: int = 0) -> str:\n    """Name an attempt for a log line.\n\n    Args:\n        number: Of the attempt, counted from 1.\n        most: Attempts in all, 0 where unlimited.\n\n    Returns:\n        What was asked for.\n    """\n    return f"attempt {number}" + (f" of {most}" if most else "")\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_attempt_label.py <<'END'
from tenacity._utils import attempt_label


def test_attempt_label_1():
    assert attempt_label(1) == "attempt 1"


def test_attempt_label_2():
    assert attempt_label(2, 5) == "attempt 2 of 5"


def test_attempt_label_3():
    assert attempt_label(3, 0) == "attempt 3"
END

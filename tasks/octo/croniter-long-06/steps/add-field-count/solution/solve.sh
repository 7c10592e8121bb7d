#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/croniter/croniter.py')
before = 'class HashExpander:'
new = 'def field_count(expression: str) -> int:\n    """Count the fields of a cron expression.\n\n    Args:\n        expression: The expression.\n\n    Returns:\n        What was asked for.\n    """\n    return len(expression.split())\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > src/croniter/tests/test_field_count.py <<'END'
from croniter.croniter import field_count


def test_field_count_1():
    assert field_count("* * * * *") == 5


def test_field_count_2():
    assert field_count("") == 0


def test_field_count_3():
    assert field_count("0 0 1 1 * 30") == 6
END

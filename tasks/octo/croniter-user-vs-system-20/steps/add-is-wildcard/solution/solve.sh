#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/croniter/croniter.py')
before = 'class HashExpander:'
new = 'def is_wildcard(field: str) -> bool:\n    """Tell whether a field stands for every value.\n\n    Args:\n        field: One field of a cron expression.\n\n    Returns:\n        What was asked for.\n    """\n    return field in ("*", "?", "*/1")\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > src/croniter/tests/test_is_wildcard.py <<'END'
from croniter.croniter import is_wildcard


def test_is_wildcard_1():
    assert is_wildcard("*") is True


def test_is_wildcard_2():
    assert is_wildcard("*/2") is False


def test_is_wildcard_3():
    assert is_wildcard("0") is False
END

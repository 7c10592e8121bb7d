#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('voluptuous/util.py')
before = 'class Literal(object):'
new = 'def clamp_value(value: int, low: int, high: int) -> int:\n    """Move a number into a range.\n\n    Args:\n        value: The number.\n        low: The smallest answer.\n        high: The largest answer.\n\n    Returns:\n        What was asked for.\n    """\n    return max(low, min(high, value))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > voluptuous/tests/test_clamp_value.py <<'END'
from voluptuous.util import clamp_value


def test_clamp_value_1():
    assert clamp_value(5, 1, 3) == 3


def test_clamp_value_2():
    assert clamp_value(0, 1, 3) == 1


def test_clamp_value_3():
    assert clamp_value(2, 1, 3) == 2
END

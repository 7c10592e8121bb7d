#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/croniter/croniter.py')
before = 'class HashExpander:'
new = 'def expand_step(step: int, last: int = 59) -> list:\n    """List the values that a step such as */15 stands for.\n\n    Args:\n        step: How far apart they are.\n        last: The largest value of the field.\n\n    Returns:\n        What was asked for.\n    """\n    return list(range(0, last + 1, step))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > src/croniter/tests/test_expand_step.py <<'END'
from croniter.croniter import expand_step


def test_expand_step_1():
    assert expand_step(15) == [0, 15, 30, 45]


def test_expand_step_2():
    assert expand_step(6, 23) == [0, 6, 12, 18]


def test_expand_step_3():
    assert expand_step(100) == [0]
END

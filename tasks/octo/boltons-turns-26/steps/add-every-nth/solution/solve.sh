#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('boltons/iterutils.py')
before = 'def untyped_sorted(iterable, key=None, reverse=False):'
new = 'def every_nth(values: list, step: int = 2, start: int = 0) -> list:\n    """Take every n-th value of a list.\n\n    Args:\n        values: The values.\n        step: How far apart they are.\n        start: Where the first one is.\n\n    Returns:\n        What was asked for.\n    """\n    return list(values[start::step])\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_every_nth.py <<'END'
from boltons.iterutils import every_nth


def test_every_nth_1():
    assert every_nth([1, 2, 3, 4, 5]) == [1, 3, 5]


def test_every_nth_2():
    assert every_nth([1, 2, 3, 4, 5], 2, 1) == [2, 4]


def test_every_nth_3():
    assert every_nth([], 3) == []
END

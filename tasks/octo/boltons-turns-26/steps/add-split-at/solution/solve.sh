#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('boltons/iterutils.py')
before = 'def untyped_sorted(iterable, key=None, reverse=False):'
new = 'def split_at(values: list, index: int) -> tuple:\n    """Split a list into what is before an index and the rest.\n\n    Args:\n        values: The values.\n        index: Where the second part begins.\n\n    Returns:\n        What was asked for.\n    """\n    return values[:index], values[index:]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_split_at.py <<'END'
from boltons.iterutils import split_at


def test_split_at_1():
    assert split_at([1, 2, 3], 1) == ([1], [2, 3])


def test_split_at_2():
    assert split_at([], 2) == ([], [])


def test_split_at_3():
    assert split_at([1, 2, 3], -1) == ([1, 2], [3])
END

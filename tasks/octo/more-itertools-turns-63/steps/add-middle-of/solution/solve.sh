#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('more_itertools/recipes.py')
before = 'def random_derangement(iterable):'
new = 'def middle_of(values: list, count: int = 1) -> list:\n    """Take values from the middle of a list.\n\n    Args:\n        values: The values.\n        count: How many are taken at most.\n\n    Returns:\n        What was asked for.\n    """\n    start = max(0, (len(values) - count) // 2)\n    return values[start : start + count]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_middle_of.py <<'END'
from more_itertools.recipes import middle_of


def test_middle_of_1():
    assert middle_of([1, 2, 3]) == [2]


def test_middle_of_2():
    assert middle_of([1, 2, 3, 4], 2) == [2, 3]


def test_middle_of_3():
    assert middle_of([], 2) == []
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('more_itertools/recipes.py')
before = 'def random_derangement(iterable):'
new = 'def cumulative_max(values: list) -> list:\n    """Give the largest value so far at each place.\n\n    Args:\n        values: Values that can be compared.\n\n    Returns:\n        What was asked for.\n    """\n    found = []\n    for value in values:\n        found.append(max(value, found[-1]) if found else value)\n    return found\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_cumulative_max.py <<'END'
from more_itertools.recipes import cumulative_max


def test_cumulative_max_1():
    assert cumulative_max([1, 3, 2]) == [1, 3, 3]


def test_cumulative_max_2():
    assert cumulative_max([]) == []


def test_cumulative_max_3():
    assert cumulative_max([2, 1]) == [2, 2]
END

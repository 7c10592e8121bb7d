#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('more_itertools/recipes.py')
before = 'def random_derangement(iterable):'
new = 'def count_changes(values: list) -> int:\n    """Count how often a value differs from the one before it.\n\n    Args:\n        values: The values.\n\n    Returns:\n        What was asked for.\n    """\n    return sum(a != b for a, b in zip(values, values[1:]))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_count_changes.py <<'END'
from more_itertools.recipes import count_changes


def test_count_changes_1():
    assert count_changes([1, 1, 2, 1]) == 2


def test_count_changes_2():
    assert count_changes([]) == 0


def test_count_changes_3():
    assert count_changes("aaab") == 1
END

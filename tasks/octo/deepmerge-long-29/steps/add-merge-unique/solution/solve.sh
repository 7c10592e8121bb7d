#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('deepmerge/extended_set.py')
before = 'class ExtendedSet(set):'
new = 'def merge_unique(base: list, other: list) -> list:\n    """Append to a list what it does not hold yet.\n\n    Args:\n        base: The list that comes first.\n        other: What may be new.\n\n    Returns:\n        What was asked for.\n    """\n    return base + [value for value in other if value not in base]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > deepmerge/tests/test_merge_unique.py <<'END'
from deepmerge.extended_set import merge_unique


def test_merge_unique_1():
    assert merge_unique([1, 2], [2, 3]) == [1, 2, 3]


def test_merge_unique_2():
    assert merge_unique([], [{"a": 1}]) == [{"a": 1}]


def test_merge_unique_3():
    assert merge_unique([1], []) == [1]
END

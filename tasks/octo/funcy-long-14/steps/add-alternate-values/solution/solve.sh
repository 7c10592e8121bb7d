#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('funcy/seqs.py')
before = 'def lsums(seq, acc=EMPTY):'
new = 'def alternate_values(first: list, second: list) -> list:\n    """Take values from two lists in turn until one is used up.\n\n    Args:\n        first: The list to begin with.\n        second: The other list.\n\n    Returns:\n        What was asked for.\n    """\n    return [value for pair in zip(first, second) for value in pair]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_alternate_values.py <<'END'
from funcy.seqs import alternate_values


def test_alternate_values_1():
    assert alternate_values([1, 3], [2, 4]) == [1, 2, 3, 4]


def test_alternate_values_2():
    assert alternate_values([], [1]) == []


def test_alternate_values_3():
    assert alternate_values([1, 2], [9]) == [1, 9]
END

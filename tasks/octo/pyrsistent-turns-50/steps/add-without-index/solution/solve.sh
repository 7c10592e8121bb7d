#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('pyrsistent/_helpers.py')
before = 'def mutant(fn):'
new = 'def without_index(values: list, index: int) -> list:\n    """Copy a list without the value at an index.\n\n    Args:\n        values: The values.\n        index: What is left out, not negative.\n\n    Returns:\n        What was asked for.\n    """\n    return [value for n, value in enumerate(values) if n != index]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_without_index.py <<'END'
from pyrsistent._helpers import without_index


def test_without_index_1():
    assert without_index([1, 2, 3], 1) == [1, 3]


def test_without_index_2():
    assert without_index([], 0) == []


def test_without_index_3():
    assert without_index([1], 5) == [1]
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('funcy/seqs.py')
before = 'def lsums(seq, acc=EMPTY):'
new = 'def index_of(values: list, wanted: object, default: int = -1) -> int:\n    """Find where a value stands in a list.\n\n    Args:\n        values: The values.\n        wanted: The value to find.\n        default: The answer where there is none.\n\n    Returns:\n        What was asked for.\n    """\n    for index, value in enumerate(values):\n        if value == wanted:\n            return index\n    return default\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_index_of.py <<'END'
from funcy.seqs import index_of


def test_index_of_1():
    assert index_of([1, 2], 2) == 1


def test_index_of_2():
    assert index_of([], 2) == -1


def test_index_of_3():
    assert index_of([1], 2, 7) == 7
END

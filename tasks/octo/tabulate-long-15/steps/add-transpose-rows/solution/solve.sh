#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tabulate/__init__.py')
before = 'def _main():'
new = 'def transpose_rows(rows: list) -> list:\n    """Make the rows of a table its columns.\n\n    Args:\n        rows: Rows of the same length.\n\n    Returns:\n        What was asked for.\n    """\n    return [list(column) for column in zip(*rows)]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test/test_transpose_rows.py <<'END'
from tabulate import transpose_rows


def test_transpose_rows_1():
    assert transpose_rows([[1, 2], [3, 4]]) == [[1, 3], [2, 4]]


def test_transpose_rows_2():
    assert transpose_rows([]) == []


def test_transpose_rows_3():
    assert transpose_rows([[1]]) == [[1]]
END

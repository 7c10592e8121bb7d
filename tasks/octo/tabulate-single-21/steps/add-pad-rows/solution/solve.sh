#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tabulate/__init__.py')
before = 'def _main():'
new = 'def pad_rows(rows: list, fill: object = "") -> list:\n    """Make all rows as long as the longest.\n\n    Args:\n        rows: Rows of any length.\n        fill: What short rows are filled with.\n\n    Returns:\n        What was asked for.\n    """\n    width = max((len(row) for row in rows), default=0)\n    return [row + [fill] * (width - len(row)) for row in rows]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test/test_pad_rows.py <<'END'
from tabulate import pad_rows


def test_pad_rows_1():
    assert pad_rows([[1], [1, 2]]) == [[1, ""], [1, 2]]


def test_pad_rows_2():
    assert pad_rows([]) == []


def test_pad_rows_3():
    assert pad_rows([[], [1]], 0) == [[0], [1]]
END

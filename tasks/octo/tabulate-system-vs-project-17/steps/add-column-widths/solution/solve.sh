#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tabulate/__init__.py')
before = 'def _main():'
new = 'def column_widths(rows: list) -> list:\n    """Tell how wide each column of a table of texts is.\n\n    Args:\n        rows: Rows of texts, all of the same length.\n\n    Returns:\n        What was asked for.\n    """\n    return [max(len(cell) for cell in column) for column in zip(*rows)]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test/test_column_widths.py <<'END'
from tabulate import column_widths


def test_column_widths_1():
    assert column_widths([["a", "bb"], ["ccc", "d"]]) == [3, 2]


def test_column_widths_2():
    assert column_widths([]) == []


def test_column_widths_3():
    assert column_widths([["", "a"]]) == [0, 1]
END

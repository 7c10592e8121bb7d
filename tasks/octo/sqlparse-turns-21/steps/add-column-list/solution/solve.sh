#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('sqlparse/utils.py')
before = 'def consume(iterator, n):'
new = 'def column_list(names: list, table: str = "") -> str:\n    """Write names as a list of columns.\n\n    Args:\n        names: The columns.\n        table: What they are qualified by.\n\n    Returns:\n        What was asked for.\n    """\n    prefix = table + "." if table else ""\n    return ", ".join(prefix + name for name in names)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_column_list.py <<'END'
from sqlparse.utils import column_list


def test_column_list_1():
    assert column_list(["a", "b"]) == "a, b"


def test_column_list_2():
    assert column_list(["a"], "t") == "t.a"


def test_column_list_3():
    assert column_list([]) == ""
END

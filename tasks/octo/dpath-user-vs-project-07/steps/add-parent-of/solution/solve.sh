#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('dpath/segments.py')
before = 'def foldm(obj, f, acc):'
new = 'def parent_of(path: str, separator: str = "/") -> str:\n    """Give the path that a path lies below.\n\n    Args:\n        path: The path.\n        separator: What stands between its segments.\n\n    Returns:\n        What was asked for.\n    """\n    return path.rpartition(separator)[0]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_parent_of.py <<'END'
from dpath.segments import parent_of


def test_parent_of_1():
    assert parent_of("a/b/c") == "a/b"


def test_parent_of_2():
    assert parent_of("a") == ""


def test_parent_of_3():
    assert parent_of("a.b", ".") == "a"
END

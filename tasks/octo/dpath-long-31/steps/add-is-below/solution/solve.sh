#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('dpath/segments.py')
before = 'def foldm(obj, f, acc):'
new = 'def is_below(path: str, parent: str, separator: str = "/") -> bool:\n    """Tell whether a path lies below another.\n\n    Args:\n        path: The path.\n        parent: The other path.\n        separator: What stands between segments.\n\n    Returns:\n        What was asked for.\n    """\n    return path.startswith(parent + separator)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_is_below.py <<'END'
from dpath.segments import is_below


def test_is_below_1():
    assert is_below("a/b", "a") is True


def test_is_below_2():
    assert is_below("ab", "a") is False


def test_is_below_3():
    assert is_below("a", "a") is False
END

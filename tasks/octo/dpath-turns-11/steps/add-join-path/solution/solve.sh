#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('dpath/segments.py')
before = 'def foldm(obj, f, acc):'
new = 'def join_path(segments: list, separator: str = "/") -> str:\n    """Join segments into a path, escaping none of them.\n\n    Args:\n        segments: The segments in order.\n        separator: What stands between them.\n\n    Returns:\n        What was asked for.\n    """\n    return separator.join(str(segment) for segment in segments)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_join_path.py <<'END'
from dpath.segments import join_path


def test_join_path_1():
    assert join_path(["a", 0, "b"]) == "a/0/b"


def test_join_path_2():
    assert join_path([]) == ""


def test_join_path_3():
    assert join_path(["a", "b"], ".") == "a.b"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/rfc3986/normalizers.py')
before = 'def remove_dot_segments(s):'
new = 'def collapse_slashes(path: str) -> str:\n    """Make one slash of several in a row.\n\n    Args:\n        path: The path.\n\n    Returns:\n        What was asked for.\n    """\n    while "//" in path:\n        path = path.replace("//", "/")\n    return path\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_collapse_slashes.py <<'END'
from rfc3986.normalizers import collapse_slashes


def test_collapse_slashes_1():
    assert collapse_slashes("/a//b///c") == "/a/b/c"


def test_collapse_slashes_2():
    assert collapse_slashes("") == ""


def test_collapse_slashes_3():
    assert collapse_slashes("/a/") == "/a/"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('uritemplate/api.py')
before = 'def variables(uri: str) -> OrderedSet:'
new = 'def join_paths(base: str, path: str) -> str:\n    """Join two parts of a path with one slash.\n\n    Args:\n        base: What comes first.\n        path: What comes after it.\n\n    Returns:\n        What was asked for.\n    """\n    return base.rstrip("/") + "/" + path.lstrip("/")\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_join_paths.py <<'END'
from uritemplate.api import join_paths


def test_join_paths_1():
    assert join_paths("/a/", "/b") == "/a/b"


def test_join_paths_2():
    assert join_paths("/a", "b") == "/a/b"


def test_join_paths_3():
    assert join_paths("", "b") == "/b"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('unidiff/patch.py')
before = 'class PatchedFile(list[Hunk]):'
new = 'def strip_side(path: str) -> str:\n    """Take the a/ or b/ of a diff off a path.\n\n    Args:\n        path: The path as the diff has it.\n\n    Returns:\n        What was asked for.\n    """\n    return path[2:] if path[:2] in ("a/", "b/") else path\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_strip_side.py <<'END'
from unidiff.patch import strip_side


def test_strip_side_1():
    assert strip_side("a/x.py") == "x.py"


def test_strip_side_2():
    assert strip_side("x.py") == "x.py"


def test_strip_side_3():
    assert strip_side("b/b/c") == "b/c"
END

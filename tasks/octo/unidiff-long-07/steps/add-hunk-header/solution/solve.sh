#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('unidiff/patch.py')
before = 'class PatchedFile(list[Hunk]):'
new = 'def hunk_header(start: int, length: int = 1) -> str:\n    """Write one side of the header of a hunk.\n\n    Args:\n        start: The first line.\n        length: How many lines.\n\n    Returns:\n        What was asked for.\n    """\n    return str(start) if length == 1 else f"{start},{length}"\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_hunk_header.py <<'END'
from unidiff.patch import hunk_header


def test_hunk_header_1():
    assert hunk_header(3) == "3"


def test_hunk_header_2():
    assert hunk_header(3, 2) == "3,2"


def test_hunk_header_3():
    assert hunk_header(0, 0) == "0,0"
END

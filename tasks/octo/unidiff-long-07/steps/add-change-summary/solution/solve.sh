#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('unidiff/patch.py')
before = 'class PatchedFile(list[Hunk]):'
new = 'def change_summary(added: int, removed: int) -> str:\n    """Sum up how many lines a change adds and removes.\n\n    Args:\n        added: Lines that are new.\n        removed: Lines that are gone.\n\n    Returns:\n        What was asked for.\n    """\n    return f"+{added} -{removed}"\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_change_summary.py <<'END'
from unidiff.patch import change_summary


def test_change_summary_1():
    assert change_summary(1, 2) == "+1 -2"


def test_change_summary_2():
    assert change_summary(0, 0) == "+0 -0"


def test_change_summary_3():
    assert change_summary(10, 0) == "+10 -0"
END

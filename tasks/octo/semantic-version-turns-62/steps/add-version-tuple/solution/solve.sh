#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('semantic_version/base.py')
before = 'class Range(Matcher):'
new = 'def version_tuple(text: str) -> tuple:\n    """Read the three numbers of a version.\n\n    Args:\n        text: A version such as 1.2.3, without more.\n\n    Returns:\n        What was asked for.\n    """\n    return tuple(int(part) for part in text.split("."))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_version_tuple.py <<'END'
from semantic_version.base import version_tuple


def test_version_tuple_1():
    assert version_tuple("1.2.3") == (1, 2, 3)


def test_version_tuple_2():
    assert version_tuple("0.10.0") == (0, 10, 0)


def test_version_tuple_3():
    assert version_tuple("4") == (4,)
END

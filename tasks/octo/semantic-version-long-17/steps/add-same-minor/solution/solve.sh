#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('semantic_version/base.py')
before = 'class Range(Matcher):'
new = 'def same_minor(first: str, second: str) -> bool:\n    """Tell whether two versions have the same major and minor number.\n\n    Args:\n        first: A version as text.\n        second: Another version.\n\n    Returns:\n        What was asked for.\n    """\n    return first.split(".")[:2] == second.split(".")[:2]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_same_minor.py <<'END'
from semantic_version.base import same_minor


def test_same_minor_1():
    assert same_minor("1.2.3", "1.2.9") is True


def test_same_minor_2():
    assert same_minor("1.2.3", "1.3.3") is False


def test_same_minor_3():
    assert same_minor("2.2.0", "1.2.0") is False
END

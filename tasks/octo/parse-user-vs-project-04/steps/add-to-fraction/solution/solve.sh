#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('parse/__init__.py')
before = 'def compile(format, extra_types=None, case_sensitive=False):'
new = 'def to_fraction(text: str) -> float:\n    """Read a percentage such as 25% as a fraction.\n\n    Args:\n        text: The text, with or without the sign.\n\n    Returns:\n        What was asked for.\n    """\n    return float(text.strip().rstrip("%")) / 100\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_to_fraction.py <<'END'
from parse import to_fraction


def test_to_fraction_1():
    assert to_fraction("25%") == 0.25


def test_to_fraction_2():
    assert to_fraction(" 50 ") == 0.5


def test_to_fraction_3():
    assert to_fraction("0%") == 0.0
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('voluptuous/util.py')
before = 'class Literal(object):'
new = 'def blank_to_none(text: str) -> object:\n    """Make None of a text that holds nothing but white space.\n\n    Args:\n        text: The text.\n\n    Returns:\n        What was asked for.\n    """\n    return text if text.strip() else None\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > voluptuous/tests/test_blank_to_none.py <<'END'
from voluptuous.util import blank_to_none


def test_blank_to_none_1():
    assert blank_to_none(" ") is None


def test_blank_to_none_2():
    assert blank_to_none("a") == "a"


def test_blank_to_none_3():
    assert blank_to_none(" a") == " a"
END

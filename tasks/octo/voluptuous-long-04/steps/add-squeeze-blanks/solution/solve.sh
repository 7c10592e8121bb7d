#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('voluptuous/util.py')
before = 'class Literal(object):'
new = 'def squeeze_blanks(text: str) -> str:\n    """Make one blank of white space in a row, none at the ends.\n\n    Args:\n        text: The text.\n\n    Returns:\n        What was asked for.\n    """\n    return " ".join(text.split())\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > voluptuous/tests/test_squeeze_blanks.py <<'END'
from voluptuous.util import squeeze_blanks


def test_squeeze_blanks_1():
    assert squeeze_blanks(" a  b ") == "a b"


def test_squeeze_blanks_2():
    assert squeeze_blanks("") == ""


def test_squeeze_blanks_3():
    assert squeeze_blanks("a\tb") == "a b"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('inflection/__init__.py')
before = 'def transliterate(string: str) -> str:'
new = 'def initials_of(text: str, separator: str = "") -> str:\n    """Give the first letters of the words of a text in upper case.\n\n    Args:\n        text: The words.\n        separator: What stands after each letter.\n\n    Returns:\n        What was asked for.\n    """\n    return "".join(word[0].upper() + separator for word in text.split())\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_initials_of.py <<'END'
from inflection import initials_of


def test_initials_of_1():
    assert initials_of("read the manual") == "RTM"


def test_initials_of_2():
    assert initials_of("a b", ".") == "A.B."


def test_initials_of_3():
    assert initials_of("") == ""
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('inflection/__init__.py')
before = 'def transliterate(string: str) -> str:'
new = 'def swap_separator(word: str, old: str = "_", new: str = "-") -> str:\n    """Put another separator between the parts of a word.\n\n    Args:\n        word: The word.\n        old: The separator it has.\n        new: The separator it gets.\n\n    Returns:\n        What was asked for.\n    """\n    return new.join(word.split(old))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_swap_separator.py <<'END'
from inflection import swap_separator


def test_swap_separator_1():
    assert swap_separator("a_b") == "a-b"


def test_swap_separator_2():
    assert swap_separator("a.b", ".", "/") == "a/b"


def test_swap_separator_3():
    assert swap_separator("") == ""
END

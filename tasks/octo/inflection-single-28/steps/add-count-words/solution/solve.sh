#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('inflection/__init__.py')
before = 'def transliterate(string: str) -> str:'
new = 'def count_words(text: str, longer_than: int = 0) -> int:\n    """Count the words of a text that are longer than a length.\n\n    Args:\n        text: The text.\n        longer_than: Characters a counted word must exceed.\n\n    Returns:\n        What was asked for.\n    """\n    return sum(len(word) > longer_than for word in text.split())\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_count_words.py <<'END'
from inflection import count_words


def test_count_words_1():
    assert count_words("a bb ccc") == 3


def test_count_words_2():
    assert count_words("a bb ccc", 1) == 2


def test_count_words_3():
    assert count_words("") == 0
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('slugify/slugify.py')
before = 'def _modern_slugify('
new = 'def slug_words(slug: str, separator: str = "-") -> list:\n    """List the words of a slug.\n\n    Args:\n        slug: The slug.\n        separator: What stands between its words.\n\n    Returns:\n        What was asked for.\n    """\n    return [word for word in slug.split(separator) if word]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_slug_words.py <<'END'
from slugify.slugify import slug_words


def test_slug_words_1():
    assert slug_words("a-b") == ["a", "b"]


def test_slug_words_2():
    assert slug_words("") == []


def test_slug_words_3():
    assert slug_words("a__b", "_") == ["a", "b"]
END

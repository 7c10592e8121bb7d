#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('slugify/slugify.py')
before = 'def _modern_slugify('
new = 'def is_slug(text: str, separator: str = "-") -> bool:\n    """Tell whether a text is a slug already.\n\n    Args:\n        text: The text.\n        separator: What may stand between its words.\n\n    Returns:\n        What was asked for.\n    """\n    parts = text.split(separator)\n    return all(p.isalnum() and p.isascii() and p == p.lower() for p in parts)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_is_slug.py <<'END'
from slugify.slugify import is_slug


def test_is_slug_1():
    assert is_slug("a-b1") is True


def test_is_slug_2():
    assert is_slug("A b") is False


def test_is_slug_3():
    assert is_slug("") is False
END

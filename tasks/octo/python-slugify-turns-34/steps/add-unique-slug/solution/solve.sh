#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('slugify/slugify.py')
before = 'def _modern_slugify('
new = 'def unique_slug(slug: str, taken: list) -> str:\n    """Add a number to a slug that is taken already.\n\n    Args:\n        slug: The slug.\n        taken: Slugs that are in use.\n\n    Returns:\n        What was asked for.\n    """\n    if slug not in taken:\n        return slug\n    number = 2\n    while f"{slug}-{number}" in taken:\n        number += 1\n    return f"{slug}-{number}"\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_unique_slug.py <<'END'
from slugify.slugify import unique_slug


def test_unique_slug_1():
    assert unique_slug("a", []) == "a"


def test_unique_slug_2():
    assert unique_slug("a", ["a"]) == "a-2"


def test_unique_slug_3():
    assert unique_slug("a", ["a", "a-2"]) == "a-3"
END

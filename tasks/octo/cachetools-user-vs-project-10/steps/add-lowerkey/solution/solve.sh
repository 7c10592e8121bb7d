#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/cachetools/keys.py')
before = 'def typedkey(*args, **kwargs):'
new = 'def lowerkey(text: str, prefix: str = "") -> str:\n    """Make a cache key of a text, blind to case and outer blanks.\n\n    Args:\n        text: The text.\n        prefix: What the key begins with.\n\n    Returns:\n        What was asked for.\n    """\n    return prefix + text.strip().lower()\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_lowerkey.py <<'END'
from cachetools.keys import lowerkey


def test_lowerkey_1():
    assert lowerkey(" Ab ") == "ab"


def test_lowerkey_2():
    assert lowerkey("X", "user:") == "user:x"


def test_lowerkey_3():
    assert lowerkey("") == ""
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/cachetools/keys.py')
before = 'def typedkey(*args, **kwargs):'
new = 'def joinkey(parts: list, separator: str = ":") -> str:\n    """Join the parts of a cache key, leaving out what is None.\n\n    Args:\n        parts: The parts in order.\n        separator: What stands between them.\n\n    Returns:\n        What was asked for.\n    """\n    return separator.join(str(part) for part in parts if part is not None)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_joinkey.py <<'END'
from cachetools.keys import joinkey


def test_joinkey_1():
    assert joinkey(["a", None, 1]) == "a:1"


def test_joinkey_2():
    assert joinkey([]) == ""


def test_joinkey_3():
    assert joinkey([0, ""], "/") == "0/"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/cachetools/keys.py')
before = 'def typedkey(*args, **kwargs):'
new = 'def bucketkey(value: int, width: int = 10) -> int:\n    """Give all numbers of one bucket the same cache key.\n\n    Args:\n        value: The number.\n        width: How many numbers a bucket has.\n\n    Returns:\n        What was asked for.\n    """\n    return value // width * width\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_bucketkey.py <<'END'
from cachetools.keys import bucketkey


def test_bucketkey_1():
    assert bucketkey(17) == 10


def test_bucketkey_2():
    assert bucketkey(17, 5) == 15


def test_bucketkey_3():
    assert bucketkey(-1) == -10
END

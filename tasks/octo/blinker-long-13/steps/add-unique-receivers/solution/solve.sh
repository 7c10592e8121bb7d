#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/blinker/_utilities.py')
before = 'def make_id(obj: object) -> c.Hashable:'
new = 'def unique_receivers(receivers: list) -> list:\n    """Drop receivers that were given before, keeping the order.\n\n    Args:\n        receivers: Hashable receivers.\n\n    Returns:\n        What was asked for.\n    """\n    return list(dict.fromkeys(receivers))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_unique_receivers.py <<'END'
from blinker._utilities import unique_receivers


def test_unique_receivers_1():
    assert unique_receivers([1, 2, 1]) == [1, 2]


def test_unique_receivers_2():
    assert unique_receivers([]) == []


def test_unique_receivers_3():
    assert unique_receivers(["b", "a", "b"]) == ["b", "a"]
END

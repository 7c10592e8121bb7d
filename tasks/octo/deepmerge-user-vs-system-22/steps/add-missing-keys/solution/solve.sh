#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('deepmerge/extended_set.py')
before = 'class ExtendedSet(set):'
new = 'def missing_keys(base: dict, other: dict) -> list:\n    """List the keys that only the second mapping has.\n\n    Args:\n        base: The first mapping.\n        other: The second mapping.\n\n    Returns:\n        What was asked for.\n    """\n    return [key for key in other if key not in base]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > deepmerge/tests/test_missing_keys.py <<'END'
from deepmerge.extended_set import missing_keys


def test_missing_keys_1():
    assert missing_keys({"a": 1}, {"a": 2, "b": 3}) == ["b"]


def test_missing_keys_2():
    assert missing_keys({}, {}) == []


def test_missing_keys_3():
    assert missing_keys({"a": 1}, {}) == []
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('deepmerge/extended_set.py')
before = 'class ExtendedSet(set):'
new = 'def conflicting_keys(base: dict, other: dict) -> list:\n    """List the keys to which two mappings give different values.\n\n    Args:\n        base: The first mapping.\n        other: The second mapping.\n\n    Returns:\n        What was asked for.\n    """\n    return [key for key in base if key in other and base[key] != other[key]]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > deepmerge/tests/test_conflicting_keys.py <<'END'
from deepmerge.extended_set import conflicting_keys


def test_conflicting_keys_1():
    assert conflicting_keys({"a": 1, "b": 2}, {"a": 2, "b": 2}) == ["a"]


def test_conflicting_keys_2():
    assert conflicting_keys({}, {"a": 1}) == []


def test_conflicting_keys_3():
    assert conflicting_keys({"a": 1}, {"a": 1}) == []
END

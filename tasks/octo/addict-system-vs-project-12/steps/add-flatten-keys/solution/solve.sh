#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('addict/addict.py')
before = 'class Dict(dict):'
new = 'def flatten_keys(mapping: dict, separator: str = ".") -> list:\n    """List the dotted paths of all leaves of a nested mapping.\n\n    Args:\n        mapping: The nested mapping.\n        separator: What stands between the keys of a path.\n\n    Returns:\n        What was asked for.\n    """\n    found = []\n    for key, value in mapping.items():\n        nested = isinstance(value, dict)\n        below = flatten_keys(value, separator) if nested else []\n        found += [f"{key}{separator}{path}" for path in below] or [str(key)]\n    return found\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_flatten_keys.py <<'END'
from addict.addict import flatten_keys


def test_flatten_keys_1():
    assert flatten_keys({"a": {"b": 1, "c": 2}, "d": 3}) == ["a.b", "a.c", "d"]


def test_flatten_keys_2():
    assert flatten_keys({"a": {"b": 1}}, "/") == ["a/b"]


def test_flatten_keys_3():
    assert flatten_keys({}) == []
END

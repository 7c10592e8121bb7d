#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('toolz/dicttoolz.py')
before = 'def get_in(keys, coll, default=None, no_default=False):'
new = 'def pick_keys(mapping: dict, keys: list) -> dict:\n    """Keep the entries of a mapping whose keys are wanted.\n\n    Args:\n        mapping: The mapping.\n        keys: Wanted keys, in the order of the result.\n\n    Returns:\n        What was asked for.\n    """\n    return {key: mapping[key] for key in keys if key in mapping}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > toolz/tests/test_pick_keys.py <<'END'
from toolz.dicttoolz import pick_keys


def test_pick_keys_1():
    assert pick_keys({"a": 1, "b": 2}, ["b"]) == {"b": 2}


def test_pick_keys_2():
    assert pick_keys({}, ["b"]) == {}


def test_pick_keys_3():
    assert pick_keys({"a": 1}, []) == {}
END

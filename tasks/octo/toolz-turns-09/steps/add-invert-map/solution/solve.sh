#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('toolz/dicttoolz.py')
before = 'def get_in(keys, coll, default=None, no_default=False):'
new = 'def invert_map(mapping: dict) -> dict:\n    """Swap the keys and the values of a mapping.\n\n    Args:\n        mapping: A mapping whose values are hashable.\n\n    Returns:\n        What was asked for.\n    """\n    return {value: key for key, value in mapping.items()}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > toolz/tests/test_invert_map.py <<'END'
from toolz.dicttoolz import invert_map


def test_invert_map_1():
    assert invert_map({"a": 1}) == {1: "a"}


def test_invert_map_2():
    assert invert_map({}) == {}


def test_invert_map_3():
    assert invert_map({"a": 1, "b": 1}) == {1: "b"}
END

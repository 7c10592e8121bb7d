#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/marshmallow/utils.py')
before = 'def callable_or_raise(obj):'
new = 'def rename_keys(mapping: dict, names: dict) -> dict:\n    """Give entries of a mapping new keys.\n\n    Args:\n        mapping: The mapping.\n        names: New keys by old ones.\n\n    Returns:\n        What was asked for.\n    """\n    return {names.get(k, k): v for k, v in mapping.items()}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_rename_keys.py <<'END'
from marshmallow.utils import rename_keys


def test_rename_keys_1():
    assert rename_keys({"a": 1, "b": 2}, {"a": "x"}) == {"x": 1, "b": 2}


def test_rename_keys_2():
    assert rename_keys({}, {"a": "x"}) == {}


def test_rename_keys_3():
    assert rename_keys({"a": 1}, {}) == {"a": 1}
END

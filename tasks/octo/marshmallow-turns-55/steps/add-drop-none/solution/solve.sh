#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/marshmallow/utils.py')
before = 'def callable_or_raise(obj):'
new = 'def drop_none(mapping: dict) -> dict:\n    """Leave out the entries of a mapping whose value is None.\n\n    Args:\n        mapping: The mapping.\n\n    Returns:\n        What was asked for.\n    """\n    return {k: v for k, v in mapping.items() if v is not None}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_drop_none.py <<'END'
from marshmallow.utils import drop_none


def test_drop_none_1():
    assert drop_none({"a": None, "b": 0}) == {"b": 0}


def test_drop_none_2():
    assert drop_none({}) == {}


def test_drop_none_3():
    assert drop_none({"a": ""}) == {"a": ""}
END

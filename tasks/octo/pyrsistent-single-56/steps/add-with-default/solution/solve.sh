#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('pyrsistent/_helpers.py')
before = 'def mutant(fn):'
new = 'def with_default(mapping: dict, key: str, value: object) -> dict:\n    """Copy a mapping, with a value for a key that it lacks.\n\n    Args:\n        mapping: The mapping.\n        key: The key.\n        value: Its value where it has none.\n\n    Returns:\n        What was asked for.\n    """\n    return {key: value, **mapping}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_with_default.py <<'END'
from pyrsistent._helpers import with_default


def test_with_default_1():
    assert with_default({"a": 1}, "b", 2) == {"a": 1, "b": 2}


def test_with_default_2():
    assert with_default({"a": 1}, "a", 2) == {"a": 1}


def test_with_default_3():
    assert with_default({}, "a", None) == {"a": None}
END

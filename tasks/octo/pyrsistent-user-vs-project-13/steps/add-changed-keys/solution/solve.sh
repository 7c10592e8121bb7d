#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('pyrsistent/_helpers.py')
before = 'def mutant(fn):'
new = 'def changed_keys(before: dict, after: dict) -> list:\n    """List the keys of a mapping whose values are new or different.\n\n    Args:\n        before: The old mapping.\n        after: The new mapping.\n\n    Returns:\n        What was asked for.\n    """\n    return [k for k, v in after.items() if k not in before or before[k] != v]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_changed_keys.py <<'END'
from pyrsistent._helpers import changed_keys


def test_changed_keys_1():
    assert changed_keys({"a": 1}, {"a": 2, "b": 3}) == ["a", "b"]


def test_changed_keys_2():
    assert changed_keys({"a": 1}, {"a": 1}) == []


def test_changed_keys_3():
    assert changed_keys({}, {}) == []
END

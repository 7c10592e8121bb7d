#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('toolz/dicttoolz.py')
before = 'def get_in(keys, coll, default=None, no_default=False):'
new = 'def count_values(mapping: dict) -> dict:\n    """Count how often each value of a mapping occurs.\n\n    Args:\n        mapping: A mapping whose values are hashable.\n\n    Returns:\n        What was asked for.\n    """\n    counts: dict = {}\n    for value in mapping.values():\n        counts[value] = counts.get(value, 0) + 1\n    return counts\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > toolz/tests/test_count_values.py <<'END'
from toolz.dicttoolz import count_values


def test_count_values_1():
    assert count_values({"a": 1, "b": 1, "c": 2}) == {1: 2, 2: 1}


def test_count_values_2():
    assert count_values({}) == {}


def test_count_values_3():
    assert count_values({"a": None}) == {None: 1}
END

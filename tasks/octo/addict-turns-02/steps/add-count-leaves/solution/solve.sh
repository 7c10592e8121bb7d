#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('addict/addict.py')
before = 'class Dict(dict):'
new = 'def count_leaves(mapping: dict) -> int:\n    """Count the values of a nested mapping that are no mappings.\n\n    Args:\n        mapping: The nested mapping.\n\n    Returns:\n        What was asked for.\n    """\n    total = 0\n    for value in mapping.values():\n        total += count_leaves(value) if isinstance(value, dict) else 1\n    return total\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_count_leaves.py <<'END'
from addict.addict import count_leaves


def test_count_leaves_1():
    assert count_leaves({"a": {"b": 1, "c": 2}, "d": 3}) == 3


def test_count_leaves_2():
    assert count_leaves({"a": {}}) == 0


def test_count_leaves_3():
    assert count_leaves({}) == 0
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('addict/addict.py')
before = 'class Dict(dict):'
new = 'def depth_of(mapping: dict) -> int:\n    """Tell how many levels a nested mapping has.\n\n    Args:\n        mapping: The nested mapping.\n\n    Returns:\n        What was asked for.\n    """\n    inner = [value for value in mapping.values() if isinstance(value, dict)]\n    return 1 + max((depth_of(value) for value in inner), default=0)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_depth_of.py <<'END'
from addict.addict import depth_of


def test_depth_of_1():
    assert depth_of({}) == 1


def test_depth_of_2():
    assert depth_of({"a": 1}) == 1


def test_depth_of_3():
    assert depth_of({"a": {"b": {"c": 1}}}) == 3
END

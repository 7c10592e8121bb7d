#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/anytree/search.py')
before = 'def _filter_by_name(node, name, value):'
new = 'def common_prefix(first: list, second: list) -> list:\n    """Find the names that two paths begin with alike.\n\n    Args:\n        first: The names of one path.\n        second: The names of the other path.\n\n    Returns:\n        What was asked for.\n    """\n    shared = []\n    for left, right in zip(first, second):\n        if left != right:\n            break\n        shared.append(left)\n    return shared\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_common_prefix.py <<'END'
from anytree.search import common_prefix


def test_common_prefix_1():
    assert common_prefix(["a", "b"], ["a", "c"]) == ["a"]


def test_common_prefix_2():
    assert common_prefix([], ["a"]) == []


def test_common_prefix_3():
    assert common_prefix(["a", "b"], ["a", "b", "c"]) == ["a", "b"]
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tinydb/utils.py')
before = 'class FrozenDict(dict):'
new = 'def group_ids(documents: list, field: str) -> dict:\n    """Collect the places of documents by a field.\n\n    Args:\n        documents: The documents.\n        field: The name of the field.\n\n    Returns:\n        What was asked for.\n    """\n    groups: dict = {}\n    for place, document in enumerate(documents):\n        groups.setdefault(document.get(field), []).append(place)\n    return groups\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_group_ids.py <<'END'
from tinydb.utils import group_ids


def test_group_ids_1():
    assert group_ids([{"a": 1}, {"a": 2}, {"a": 1}], "a") == {1: [0, 2], 2: [1]}


def test_group_ids_2():
    assert group_ids([], "a") == {}


def test_group_ids_3():
    assert group_ids([{}], "a") == {None: [0]}
END

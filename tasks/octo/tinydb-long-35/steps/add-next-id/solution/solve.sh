#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tinydb/utils.py')
before = 'class FrozenDict(dict):'
new = 'def next_id(ids: list) -> int:\n    """Give the number after the largest one in use.\n\n    Args:\n        ids: Numbers in use.\n\n    Returns:\n        What was asked for.\n    """\n    return max(ids, default=0) + 1\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_next_id.py <<'END'
from tinydb.utils import next_id


def test_next_id_1():
    assert next_id([1, 3]) == 4


def test_next_id_2():
    assert next_id([]) == 1


def test_next_id_3():
    assert next_id([7]) == 8
END

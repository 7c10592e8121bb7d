#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/dotenv/variables.py')
before = 'def parse_variables(value: str) -> Iterator[Atom]:'
new = 'def select_prefix(values: dict, prefix: str) -> dict:\n    """Keep the variables whose names begin alike, without that beginning.\n\n    Args:\n        values: Values by name.\n        prefix: What the names begin with.\n\n    Returns:\n        What was asked for.\n    """\n    size = len(prefix)\n    return {k[size:]: v for k, v in values.items() if k.startswith(prefix)}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_select_prefix.py <<'END'
from dotenv.variables import select_prefix


def test_select_prefix_1():
    assert select_prefix({"X_A": "1", "B": "2"}, "X_") == {"A": "1"}


def test_select_prefix_2():
    assert select_prefix({}, "X_") == {}


def test_select_prefix_3():
    assert select_prefix({"A": "1"}, "") == {"A": "1"}
END

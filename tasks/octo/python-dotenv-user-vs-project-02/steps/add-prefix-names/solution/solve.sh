#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/dotenv/variables.py')
before = 'def parse_variables(value: str) -> Iterator[Atom]:'
new = 'def prefix_names(values: dict, prefix: str) -> dict:\n    """Put a prefix before the names of variables.\n\n    Args:\n        values: Values by name.\n        prefix: What the names begin with afterwards.\n\n    Returns:\n        What was asked for.\n    """\n    return {prefix + name: value for name, value in values.items()}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_prefix_names.py <<'END'
from dotenv.variables import prefix_names


def test_prefix_names_1():
    assert prefix_names({"A": "1"}, "X_") == {"X_A": "1"}


def test_prefix_names_2():
    assert prefix_names({}, "X_") == {}


def test_prefix_names_3():
    assert prefix_names({"A": None}, "") == {"A": None}
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/dotenv/variables.py')
before = 'def parse_variables(value: str) -> Iterator[Atom]:'
new = 'def is_variable_name(name: str) -> bool:\n    """Tell whether a name can be that of a variable.\n\n    Args:\n        name: The name.\n\n    Returns:\n        What was asked for.\n    """\n    return name.isascii() and name.isidentifier()\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_is_variable_name.py <<'END'
from dotenv.variables import is_variable_name


def test_is_variable_name_1():
    assert is_variable_name("A_1") is True


def test_is_variable_name_2():
    assert is_variable_name("1A") is False


def test_is_variable_name_3():
    assert is_variable_name("") is False
END

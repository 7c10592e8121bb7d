#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('jmespath/visitor.py')
before = 'class TreeInterpreter(Visitor):'
new = 'def type_label(value: object) -> str:\n    """Name the JSON type of a value.\n\n    Args:\n        value: A value as json has it.\n\n    Returns:\n        What was asked for.\n    """\n    if value is None:\n        return "null"\n    names = {bool: "boolean", str: "string", list: "array", dict: "object"}\n    return names.get(type(value), "number")\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_type_label.py <<'END'
from jmespath.visitor import type_label


def test_type_label_1():
    assert type_label(None) == "null"


def test_type_label_2():
    assert type_label(True) == "boolean"


def test_type_label_3():
    assert type_label(1.5) == "number"
END

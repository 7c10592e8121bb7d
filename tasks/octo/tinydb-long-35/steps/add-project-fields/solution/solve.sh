#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tinydb/utils.py')
before = 'class FrozenDict(dict):'
new = 'def project_fields(document: dict, fields: list) -> dict:\n    """Keep some fields of a document.\n\n    Args:\n        document: The document.\n        fields: Names of the fields that stay.\n\n    Returns:\n        What was asked for.\n    """\n    return {name: document[name] for name in fields if name in document}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_project_fields.py <<'END'
from tinydb.utils import project_fields


def test_project_fields_1():
    assert project_fields({"a": 1, "b": 2}, ["a"]) == {"a": 1}


def test_project_fields_2():
    assert project_fields({}, ["a"]) == {}


def test_project_fields_3():
    assert project_fields({"a": 1}, []) == {}
END

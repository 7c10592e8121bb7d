#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('xmltodict.py')
before = 'class _XMLGenerator(XMLGenerator):'
new = 'def split_attributes(element: dict, prefix: str = "@") -> tuple:\n    """Part the attributes of an element from its children.\n\n    Args:\n        element: The element as a mapping.\n        prefix: What keys of attributes begin with.\n\n    Returns:\n        What was asked for.\n    """\n    own = {k: v for k, v in element.items() if k.startswith(prefix)}\n    return own, {k: v for k, v in element.items() if k not in own}\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_split_attributes.py <<'END'
from xmltodict import split_attributes


def test_split_attributes_1():
    assert split_attributes({"@a": 1, "b": 2}) == ({"@a": 1}, {"b": 2})


def test_split_attributes_2():
    assert split_attributes({}) == ({}, {})


def test_split_attributes_3():
    assert split_attributes({"_a": 1}, "_") == ({"_a": 1}, {})
END

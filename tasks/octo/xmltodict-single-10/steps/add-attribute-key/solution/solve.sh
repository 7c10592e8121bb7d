#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('xmltodict.py')
before = 'class _XMLGenerator(XMLGenerator):'
new = 'def attribute_key(name: str, prefix: str = "@") -> str:\n    """Give the key under which an attribute is kept.\n\n    Args:\n        name: The name of the attribute.\n        prefix: What such keys begin with.\n\n    Returns:\n        What was asked for.\n    """\n    return name if name.startswith(prefix) else prefix + name\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_attribute_key.py <<'END'
from xmltodict import attribute_key


def test_attribute_key_1():
    assert attribute_key("id") == "@id"


def test_attribute_key_2():
    assert attribute_key("@id") == "@id"


def test_attribute_key_3():
    assert attribute_key("id", "_") == "_id"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('jmespath/visitor.py')
before = 'class TreeInterpreter(Visitor):'
new = 'def quote_key(key: str) -> str:\n    """Put a key in quotes where it is no plain identifier.\n\n    Args:\n        key: The key.\n\n    Returns:\n        What was asked for.\n    """\n    plain = key.isidentifier() and key.isascii()\n    return key if plain else \'"\' + key.replace(\'"\', \'\\\\"\') + \'"\'\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_quote_key.py <<'END'
from jmespath.visitor import quote_key


def test_quote_key_1():
    assert quote_key("name") == "name"


def test_quote_key_2():
    assert quote_key("a b") == '"a b"'


def test_quote_key_3():
    assert quote_key('a"') == '"a\\""'
END

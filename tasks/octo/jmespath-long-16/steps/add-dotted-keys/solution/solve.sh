#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('jmespath/visitor.py')
before = 'class TreeInterpreter(Visitor):'
new = 'def dotted_keys(keys: list) -> str:\n    """Write keys as a dotted expression.\n\n    Args:\n        keys: The keys in order.\n\n    Returns:\n        What was asked for.\n    """\n    return ".".join(str(key) for key in keys)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_dotted_keys.py <<'END'
from jmespath.visitor import dotted_keys


def test_dotted_keys_1():
    assert dotted_keys(["a", "b"]) == "a.b"


def test_dotted_keys_2():
    assert dotted_keys([]) == ""


def test_dotted_keys_3():
    assert dotted_keys(["x", 1]) == "x.1"
END

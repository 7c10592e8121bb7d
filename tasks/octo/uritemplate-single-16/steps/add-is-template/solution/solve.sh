#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('uritemplate/api.py')
before = 'def variables(uri: str) -> OrderedSet:'
new = 'def is_template(uri: str) -> bool:\n    """Tell whether a URI has something to be filled in.\n\n    Args:\n        uri: The uri.\n\n    Returns:\n        What was asked for.\n    """\n    return "{" in uri and "}" in uri\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_is_template.py <<'END'
from uritemplate.api import is_template


def test_is_template_1():
    assert is_template("/a/{b}") is True


def test_is_template_2():
    assert is_template("/a/b") is False


def test_is_template_3():
    assert is_template("") is False
END

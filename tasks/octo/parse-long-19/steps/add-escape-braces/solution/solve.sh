#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('parse/__init__.py')
before = 'def compile(format, extra_types=None, case_sensitive=False):'
new = 'def escape_braces(text: str) -> str:\n    """Double the braces of a text so that a template keeps them.\n\n    Args:\n        text: The text.\n\n    Returns:\n        What was asked for.\n    """\n    return text.replace("{", "{{").replace("}", "}}")\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_escape_braces.py <<'END'
from parse import escape_braces


def test_escape_braces_1():
    assert escape_braces("{a}") == "{{a}}"


def test_escape_braces_2():
    assert escape_braces("a") == "a"


def test_escape_braces_3():
    assert escape_braces("") == ""
END

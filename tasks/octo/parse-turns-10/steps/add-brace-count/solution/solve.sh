#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('parse/__init__.py')
before = 'def compile(format, extra_types=None, case_sensitive=False):'
new = 'def brace_count(template: str) -> int:\n    """Count the opening braces of a template that are not doubled.\n\n    Args:\n        template: The template.\n\n    Returns:\n        What was asked for.\n    """\n    return template.replace("{{", "").count("{")\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_brace_count.py <<'END'
from parse import brace_count


def test_brace_count_1():
    assert brace_count("{a} {b}") == 2


def test_brace_count_2():
    assert brace_count("{{a}}") == 0


def test_brace_count_3():
    assert brace_count("") == 0
END

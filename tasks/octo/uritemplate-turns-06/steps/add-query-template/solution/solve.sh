#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('uritemplate/api.py')
before = 'def variables(uri: str) -> OrderedSet:'
new = 'def query_template(names: list) -> str:\n    """Write a template for the query of a URI.\n\n    Args:\n        names: The names of its variables.\n\n    Returns:\n        What was asked for.\n    """\n    return "{?" + ",".join(names) + "}" if names else ""\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_query_template.py <<'END'
from uritemplate.api import query_template


def test_query_template_1():
    assert query_template(["a", "b"]) == "{?a,b}"


def test_query_template_2():
    assert query_template([]) == ""


def test_query_template_3():
    assert query_template(["q"]) == "{?q}"
END

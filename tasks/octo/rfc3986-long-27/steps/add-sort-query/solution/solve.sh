#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/rfc3986/normalizers.py')
before = 'def remove_dot_segments(s):'
new = 'def sort_query(query: str) -> str:\n    """Put the parts of a query in order.\n\n    Args:\n        query: The query without its question mark.\n\n    Returns:\n        What was asked for.\n    """\n    return "&".join(sorted(query.split("&")))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_sort_query.py <<'END'
from rfc3986.normalizers import sort_query


def test_sort_query_1():
    assert sort_query("b=2&a=1") == "a=1&b=2"


def test_sort_query_2():
    assert sort_query("") == ""


def test_sort_query_3():
    assert sort_query("a") == "a"
END

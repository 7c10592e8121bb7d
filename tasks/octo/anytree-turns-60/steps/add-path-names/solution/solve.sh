#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/anytree/search.py')
before = 'def _filter_by_name(node, name, value):'
new = 'def path_names(names: list, separator: str = "/") -> str:\n    """Join the names on the way to a node into one path.\n\n    Args:\n        names: The names, root first.\n        separator: What stands between them.\n\n    Returns:\n        What was asked for.\n    """\n    return separator + separator.join(str(name) for name in names)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_path_names.py <<'END'
from anytree.search import path_names


def test_path_names_1():
    assert path_names(["root", "sub"]) == "/root/sub"


def test_path_names_2():
    assert path_names([]) == "/"


def test_path_names_3():
    assert path_names(["a", 1], ".") == ".a.1"
END

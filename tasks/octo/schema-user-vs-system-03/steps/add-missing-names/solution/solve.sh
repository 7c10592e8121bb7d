#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('schema/__init__.py')
before = 'def _callable_str(callable_: Callable[..., Any]) -> str:'
new = 'def missing_names(wanted: list, given: dict) -> list:\n    """List the keys that a mapping lacks.\n\n    Args:\n        wanted: Keys that it should have.\n        given: The mapping.\n\n    Returns:\n        What was asked for.\n    """\n    return [name for name in wanted if name not in given]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_missing_names.py <<'END'
from schema import missing_names


def test_missing_names_1():
    assert missing_names(["a", "b"], {"a": 1}) == ["b"]


def test_missing_names_2():
    assert missing_names([], {}) == []


def test_missing_names_3():
    assert missing_names(["a"], {"a": None}) == []
END

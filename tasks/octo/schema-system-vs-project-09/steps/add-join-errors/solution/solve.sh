#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('schema/__init__.py')
before = 'def _callable_str(callable_: Callable[..., Any]) -> str:'
new = 'def join_errors(errors: list, separator: str = "\\n") -> str:\n    """Join messages, each once and without empty ones.\n\n    Args:\n        errors: The messages.\n        separator: What stands between them.\n\n    Returns:\n        What was asked for.\n    """\n    return separator.join(dict.fromkeys(e for e in errors if e))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_join_errors.py <<'END'
from schema import join_errors


def test_join_errors_1():
    assert join_errors(["a", "", "a", "b"]) == "a\nb"


def test_join_errors_2():
    assert join_errors([]) == ""


def test_join_errors_3():
    assert join_errors(["a", "b"], "; ") == "a; b"
END

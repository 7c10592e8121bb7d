#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('schema/__init__.py')
before = 'def _callable_str(callable_: Callable[..., Any]) -> str:'
new = 'def shorten(text: str, width: int = 20) -> str:\n    """Cut a long text and end it with dots.\n\n    Args:\n        text: The text.\n        width: Characters at most, the dots included.\n\n    Returns:\n        What was asked for.\n    """\n    return text if len(text) <= width else text[: width - 3] + "..."\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_shorten.py <<'END'
from schema import shorten


def test_shorten_1():
    assert shorten("abc") == "abc"


def test_shorten_2():
    assert shorten("abcdefgh", 6) == "abc..."


def test_shorten_3():
    assert shorten("", 5) == ""
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('schema/__init__.py')
before = 'def _callable_str(callable_: Callable[..., Any]) -> str:'
new = 'def shorten_text(text: str, width: int = 20) -> str:\n    """Cut a long text and end it with dots.\n\n    Args:\n        text: The text.\n        width: Characters at most, the dots included.\n\n    Returns:\n        What was asked for.\n    """\n    return text if len(text) <= width else text[: width - 3] + "..."\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > test_shorten_text.py <<'END'
from schema import shorten_text


def test_shorten_text_1():
    assert shorten_text("abc") == "abc"


def test_shorten_text_2():
    assert shorten_text("abcdefgh", 6) == "abc..."


def test_shorten_text_3():
    assert shorten_text("", 5) == ""
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/jsonpath_ng/ext/string.py')
before = 'class Split(This):'
new = 'def slice_text(text: str, start: int = 0, length: int = 10) -> str:\n    """Cut a piece out of a text.\n\n    Args:\n        text: The text.\n        start: Where the piece begins.\n        length: Characters at most.\n\n    Returns:\n        What was asked for.\n    """\n    return text[start : start + length]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_slice_text.py <<'END'
from jsonpath_ng.ext.string import slice_text


def test_slice_text_1():
    assert slice_text("abcdef", 1, 3) == "bcd"


def test_slice_text_2():
    assert slice_text("abc") == "abc"


def test_slice_text_3():
    assert slice_text("", 2) == ""
END

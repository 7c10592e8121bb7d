#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/jsonpath_ng/ext/string.py')
before = 'class Split(This):'
new = 'def surround_text(text: str, left: str = "(", right: str = ")") -> str:\n    """Put a text between two others.\n\n    Args:\n        text: The text.\n        left: What stands before it.\n        right: What stands after it.\n\n    Returns:\n        What was asked for.\n    """\n    return f"{left}{text}{right}"\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_surround_text.py <<'END'
from jsonpath_ng.ext.string import surround_text


def test_surround_text_1():
    assert surround_text("a") == "(a)"


def test_surround_text_2():
    assert surround_text("a", "[", "]") == "[a]"


def test_surround_text_3():
    assert surround_text("") == "()"
END

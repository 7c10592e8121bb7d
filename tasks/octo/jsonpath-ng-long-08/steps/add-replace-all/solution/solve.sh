#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/jsonpath_ng/ext/string.py')
before = 'class Split(This):'
new = 'def replace_all(text: str, changes: dict) -> str:\n    """Replace several pieces of a text one after the other.\n\n    Args:\n        text: The text.\n        changes: What is replaced, and by what.\n\n    Returns:\n        What was asked for.\n    """\n    for old, new in changes.items():\n        text = text.replace(old, new)\n    return text\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_replace_all.py <<'END'
from jsonpath_ng.ext.string import replace_all


def test_replace_all_1():
    assert replace_all("abc", {"a": "1", "c": "3"}) == "1b3"


def test_replace_all_2():
    assert replace_all("abc", {}) == "abc"


def test_replace_all_3():
    assert replace_all("aa", {"a": "b", "b": "c"}) == "cc"
END

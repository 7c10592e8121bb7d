#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/itsdangerous/encoding.py')
before = 'def int_to_bytes(num: int) -> bytes:'
new = 'def strip_padding(text: str, pad: str = "=") -> str:\n    """Take the padding off the end of an encoded text.\n\n    Args:\n        text: The encoded text.\n        pad: The character that pads.\n\n    Returns:\n        What was asked for.\n    """\n    return text.rstrip(pad)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_strip_padding.py <<'END'
from itsdangerous.encoding import strip_padding


def test_strip_padding_1():
    assert strip_padding("abc==") == "abc"


def test_strip_padding_2():
    assert strip_padding("") == ""


def test_strip_padding_3():
    assert strip_padding("a=b=") == "a=b"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/itsdangerous/encoding.py')
before = 'def int_to_bytes(num: int) -> bytes:'
new = 'def missing_padding(text: str, size: int = 4) -> int:\n    """Tell how many characters pad a text to full groups.\n\n    Args:\n        text: The text without padding.\n        size: Characters in a group.\n\n    Returns:\n        What was asked for.\n    """\n    return -len(text) % size\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_missing_padding.py <<'END'
from itsdangerous.encoding import missing_padding


def test_missing_padding_1():
    assert missing_padding("abc") == 1


def test_missing_padding_2():
    assert missing_padding("") == 0


def test_missing_padding_3():
    assert missing_padding("ab", 3) == 1
END

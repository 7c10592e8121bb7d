#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/humanize/filesize.py')
before = 'def naturalsize('
new = 'def bytes_left(used: int, quota: int) -> int:\n    """Tell how many bytes of a quota are left.\n\n    Args:\n        used: Bytes that are used.\n        quota: Bytes that may be used.\n\n    Returns:\n        What was asked for.\n    """\n    return max(0, quota - used)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_bytes_left.py <<'END'
from humanize.filesize import bytes_left


def test_bytes_left_1():
    assert bytes_left(30, 100) == 70


def test_bytes_left_2():
    assert bytes_left(130, 100) == 0


def test_bytes_left_3():
    assert bytes_left(0, 0) == 0
END

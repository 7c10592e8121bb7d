#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/humanize/filesize.py')
before = 'def naturalsize('
new = 'def block_count(size: int, block: int = 512) -> int:\n    """Tell how many blocks hold so many bytes.\n\n    Args:\n        size: The bytes.\n        block: Bytes in a block.\n\n    Returns:\n        What was asked for.\n    """\n    return -(-size // block)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_block_count.py <<'END'
from humanize.filesize import block_count


def test_block_count_1():
    assert block_count(513) == 2


def test_block_count_2():
    assert block_count(0) == 0


def test_block_count_3():
    assert block_count(10, 5) == 2
END

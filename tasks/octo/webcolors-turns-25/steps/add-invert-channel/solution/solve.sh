#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/webcolors/_normalization.py')
before = 'def _percent_to_integer(percent: str) -> int:'
new = 'def invert_channel(value: int) -> int:\n    """Give the opposite of a color channel.\n\n    Args:\n        value: The channel, 0 to 255.\n\n    Returns:\n        What was asked for.\n    """\n    return 255 - value\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_invert_channel.py <<'END'
from webcolors._normalization import invert_channel


def test_invert_channel_1():
    assert invert_channel(0) == 255


def test_invert_channel_2():
    assert invert_channel(255) == 0


def test_invert_channel_3():
    assert invert_channel(100) == 155
END

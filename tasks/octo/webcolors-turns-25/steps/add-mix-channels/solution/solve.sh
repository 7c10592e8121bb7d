#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/webcolors/_normalization.py')
before = 'def _percent_to_integer(percent: str) -> int:'
new = 'def mix_channels(first: int, second: int) -> int:\n    """Give the channel halfway between two, rounded down.\n\n    Args:\n        first: One channel, 0 to 255.\n        second: The other channel.\n\n    Returns:\n        What was asked for.\n    """\n    return (first + second) // 2\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_mix_channels.py <<'END'
from webcolors._normalization import mix_channels


def test_mix_channels_1():
    assert mix_channels(0, 255) == 127


def test_mix_channels_2():
    assert mix_channels(10, 20) == 15


def test_mix_channels_3():
    assert mix_channels(7, 7) == 7
END

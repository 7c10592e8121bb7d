#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/webcolors/_normalization.py')
before = 'def _percent_to_integer(percent: str) -> int:'
new = 'def short_hex(value: str) -> str:\n    """Shorten a hex color to three digits where that loses nothing.\n\n    Args:\n        value: A color such as #aabbcc.\n\n    Returns:\n        What was asked for.\n    """\n    pairs = [value[1:3], value[3:5], value[5:7]]\n    same = all(pair[0] == pair[1] for pair in pairs)\n    return "#" + "".join(pair[0] for pair in pairs) if same else value\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_short_hex.py <<'END'
from webcolors._normalization import short_hex


def test_short_hex_1():
    assert short_hex("#aabbcc") == "#abc"


def test_short_hex_2():
    assert short_hex("#abcdef") == "#abcdef"


def test_short_hex_3():
    assert short_hex("#000000") == "#000"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/blinker/_utilities.py')
before = 'def make_id(obj: object) -> c.Hashable:'
new = 'def signal_path(name: str) -> list:\n    """Split a dotted signal name into all of its prefixes.\n\n    Args:\n        name: The dotted name.\n\n    Returns:\n        What was asked for.\n    """\n    parts = name.split(".")\n    return [".".join(parts[: n + 1]) for n in range(len(parts))]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_signal_path.py <<'END'
from blinker._utilities import signal_path


def test_signal_path_1():
    assert signal_path("a.b.c") == ["a", "a.b", "a.b.c"]


def test_signal_path_2():
    assert signal_path("a") == ["a"]


def test_signal_path_3():
    assert signal_path("x.y") == ["x", "x.y"]
END

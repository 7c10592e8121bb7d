#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/blinker/_utilities.py')
before = 'def make_id(obj: object) -> c.Hashable:'
new = 'def matches_topic(pattern: str, name: str) -> bool:\n    """Tell whether a dotted name fits a pattern in which * is one part.\n\n    Args:\n        pattern: Dotted, with * for any one part.\n        name: The dotted name.\n\n    Returns:\n        What was asked for.\n    """\n    wanted, given = pattern.split("."), name.split(".")\n    pairs = zip(wanted, given)\n    return len(wanted) == len(given) and all(w in ("*", g) for w, g in pairs)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_matches_topic.py <<'END'
from blinker._utilities import matches_topic


def test_matches_topic_1():
    assert matches_topic("a.*", "a.b") is True


def test_matches_topic_2():
    assert matches_topic("a.*", "a.b.c") is False


def test_matches_topic_3():
    assert matches_topic("*.b", "a.c") is False
END

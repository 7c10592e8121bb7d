#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('boltons/iterutils.py')
before = 'def untyped_sorted(iterable, key=None, reverse=False):'
new = 'def run_lengths(values: list) -> list:\n    """Encode a list as pairs of a value and how often it stands in a row.\n\n    Args:\n        values: The values.\n\n    Returns:\n        What was asked for.\n    """\n    runs = []\n    for value in values:\n        if runs and runs[-1][0] == value:\n            runs[-1] = (value, runs[-1][1] + 1)\n        else:\n            runs.append((value, 1))\n    return runs\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_run_lengths.py <<'END'
from boltons.iterutils import run_lengths


def test_run_lengths_1():
    assert run_lengths("aab") == [("a", 2), ("b", 1)]


def test_run_lengths_2():
    assert run_lengths([]) == []


def test_run_lengths_3():
    assert run_lengths([1, 1, 1, 2, 1]) == [(1, 3), (2, 1), (1, 1)]
END

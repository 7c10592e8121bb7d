#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('idna/intranges.py')
before = 'def _decode_range(r: int) -> tuple[int, int]:'
new = 'def merge_ranges(ranges: list) -> list:\n    """Merge half-open ranges that touch or overlap.\n\n    Args:\n        ranges: Pairs of a start and an end.\n\n    Returns:\n        What was asked for.\n    """\n    merged = []\n    for start, end in sorted(ranges):\n        if merged and start <= merged[-1][1]:\n            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))\n        else:\n            merged.append((start, end))\n    return merged\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_merge_ranges.py <<'END'
from idna.intranges import merge_ranges


def test_merge_ranges_1():
    assert merge_ranges([(3, 5), (1, 3)]) == [(1, 5)]


def test_merge_ranges_2():
    assert merge_ranges([]) == []


def test_merge_ranges_3():
    assert merge_ranges([(1, 2), (4, 5)]) == [(1, 2), (4, 5)]
END

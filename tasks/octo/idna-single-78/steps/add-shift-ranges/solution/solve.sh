#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('idna/intranges.py')
before = 'def _decode_range(r: int) -> tuple[int, int]:'
new = 'def shift_ranges(ranges: list, offset: int) -> list:\n    """Move half-open ranges by an offset.\n\n    Args:\n        ranges: Pairs of a start and an end.\n        offset: How far they move.\n\n    Returns:\n        What was asked for.\n    """\n    return [(start + offset, end + offset) for start, end in ranges]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_shift_ranges.py <<'END'
from idna.intranges import shift_ranges


def test_shift_ranges_1():
    assert shift_ranges([(1, 3)], 2) == [(3, 5)]


def test_shift_ranges_2():
    assert shift_ranges([], 2) == []


def test_shift_ranges_3():
    assert shift_ranges([(5, 6)], -5) == [(0, 1)]
END

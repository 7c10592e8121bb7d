#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('idna/intranges.py')
before = 'def _decode_range(r: int) -> tuple[int, int]:'
new = 'def count_in_ranges(ranges: list) -> int:\n    """Count the integers in half-open ranges.\n\n    Args:\n        ranges: Pairs of a start and an end.\n\n    Returns:\n        What was asked for.\n    """\n    return sum(end - start for start, end in ranges)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_count_in_ranges.py <<'END'
from idna.intranges import count_in_ranges


def test_count_in_ranges_1():
    assert count_in_ranges([(1, 3), (5, 6)]) == 3


def test_count_in_ranges_2():
    assert count_in_ranges([]) == 0


def test_count_in_ranges_3():
    assert count_in_ranges([(4, 4)]) == 0
END

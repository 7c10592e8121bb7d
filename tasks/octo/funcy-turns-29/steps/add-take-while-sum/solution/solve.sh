#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('funcy/seqs.py')
before = 'def lsums(seq, acc=EMPTY):'
new = 'def take_while_sum(numbers: list, limit: int) -> list:\n    """Take numbers from the front as long as their sum is within a limit.\n\n    Args:\n        numbers: The numbers.\n        limit: What the sum may reach.\n\n    Returns:\n        What was asked for.\n    """\n    taken, total = [], 0\n    for number in numbers:\n        total += number\n        if total > limit:\n            break\n        taken.append(number)\n    return taken\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_take_while_sum.py <<'END'
from funcy.seqs import take_while_sum


def test_take_while_sum_1():
    assert take_while_sum([1, 2, 3], 3) == [1, 2]


def test_take_while_sum_2():
    assert take_while_sum([], 3) == []


def test_take_while_sum_3():
    assert take_while_sum([5], 3) == []
END

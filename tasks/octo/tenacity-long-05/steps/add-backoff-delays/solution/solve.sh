#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tenacity/_utils.py')
before = 'def is_coroutine_callable(call: typing.Callable[..., typing.Any]) -> bool:'
new = 'def backoff_delays(count: int, first: float = 1.0, factor: float = 2.0) -> list:\n    """List the delays of an exponential backoff.\n\n    Args:\n        count: How many delays.\n        first: The first one in seconds.\n        factor: Growth from one to the next.\n\n    Returns:\n        What was asked for.\n    """\n    return [first * factor**n for n in range(count)]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_backoff_delays.py <<'END'
from tenacity._utils import backoff_delays


def test_backoff_delays_1():
    assert backoff_delays(3) == [1.0, 2.0, 4.0]


def test_backoff_delays_2():
    assert backoff_delays(0) == []


def test_backoff_delays_3():
    assert backoff_delays(2, 0.5, 3.0) == [0.5, 1.5]
END

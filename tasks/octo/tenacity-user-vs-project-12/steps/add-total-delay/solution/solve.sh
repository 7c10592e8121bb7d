#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('tenacity/_utils.py')
before = 'def is_coroutine_callable(call: typing.Callable[..., typing.Any]) -> bool:'
new = 'def total_delay(delays: list, limit: float = 60.0) -> float:\n    """Add up delays, no more than a limit.\n\n    Args:\n        delays: Delays in seconds.\n        limit: The largest answer.\n\n    Returns:\n        What was asked for.\n    """\n    return min(limit, float(sum(delays)))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_total_delay.py <<'END'
from tenacity._utils import total_delay


def test_total_delay_1():
    assert total_delay([1.0, 2.0]) == 3.0


def test_total_delay_2():
    assert total_delay([]) == 0.0


def test_total_delay_3():
    assert total_delay([50.0, 20.0]) == 60.0
END

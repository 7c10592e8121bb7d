#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/humanize/filesize.py')
before = 'def naturalsize('
new = 'def usage_percent(used: int, quota: int) -> int:\n    """Tell which share of a quota is used, in whole percent.\n\n    Args:\n        used: Bytes that are used.\n        quota: Bytes that may be used.\n\n    Returns:\n        What was asked for.\n    """\n    return 100 if quota == 0 else used * 100 // quota\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_usage_percent.py <<'END'
from humanize.filesize import usage_percent


def test_usage_percent_1():
    assert usage_percent(25, 100) == 25


def test_usage_percent_2():
    assert usage_percent(1, 3) == 33


def test_usage_percent_3():
    assert usage_percent(0, 0) == 100
END

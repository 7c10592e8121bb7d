#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('semantic_version/base.py')
before = 'class Range(Matcher):'
new = 'def drop_build(text: str) -> str:\n    """Take the build metadata off a version.\n\n    Args:\n        text: A version as text.\n\n    Returns:\n        What was asked for.\n    """\n    return text.partition("+")[0]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_drop_build.py <<'END'
from semantic_version.base import drop_build


def test_drop_build_1():
    assert drop_build("1.0.0+5") == "1.0.0"


def test_drop_build_2():
    assert drop_build("1.0.0") == "1.0.0"


def test_drop_build_3():
    assert drop_build("1.0.0-a+b") == "1.0.0-a"
END

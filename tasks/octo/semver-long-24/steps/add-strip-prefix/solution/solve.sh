#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/semver/cli.py')
before = 'def process(args: argparse.Namespace) -> str:'
new = 'def strip_prefix(tag: str, prefix: str = "v") -> str:\n    """Take the prefix off a release tag.\n\n    Args:\n        tag: The tag.\n        prefix: What it may begin with.\n\n    Returns:\n        What was asked for.\n    """\n    return tag.removeprefix(prefix)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_strip_prefix.py <<'END'
from semver.cli import strip_prefix


def test_strip_prefix_1():
    assert strip_prefix("v1.0.0") == "1.0.0"


def test_strip_prefix_2():
    assert strip_prefix("1.0.0") == "1.0.0"


def test_strip_prefix_3():
    assert strip_prefix("rel-1", "rel-") == "1"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/semver/cli.py')
before = 'def process(args: argparse.Namespace) -> str:'
new = 'def is_prerelease(version: str) -> bool:\n    """Tell whether a version is one before a release.\n\n    Args:\n        version: A version as text.\n\n    Returns:\n        What was asked for.\n    """\n    return "-" in version.partition("+")[0]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_is_prerelease.py <<'END'
from semver.cli import is_prerelease


def test_is_prerelease_1():
    assert is_prerelease("1.0.0-rc.1") is True


def test_is_prerelease_2():
    assert is_prerelease("1.0.0") is False


def test_is_prerelease_3():
    assert is_prerelease("1.0.0+a-b") is False
END

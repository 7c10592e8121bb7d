#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/semver/cli.py')
before = 'def process(args: argparse.Namespace) -> str:'
new = 'def release_line(version: str) -> str:\n    """Name the release line that a version belongs to.\n\n    Args:\n        version: A version as text.\n\n    Returns:\n        What was asked for.\n    """\n    major, minor = version.split(".")[:2]\n    return f"{major}.{minor}.x"\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_release_line.py <<'END'
from semver.cli import release_line


def test_release_line_1():
    assert release_line("1.2.3") == "1.2.x"


def test_release_line_2():
    assert release_line("10.0.1") == "10.0.x"


def test_release_line_3():
    assert release_line("0.1.0-rc.1") == "0.1.x"
END

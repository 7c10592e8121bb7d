#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/itsdangerous/encoding.py')
before = 'def int_to_bytes(num: int) -> bytes:'
new = 'def mask_secret(secret: str, shown: int = 2) -> str:\n    """Hide a secret but for its last characters.\n\n    Args:\n        secret: The secret.\n        shown: Characters that stay.\n\n    Returns:\n        What was asked for.\n    """\n    hidden = max(0, len(secret) - shown)\n    return "*" * hidden + secret[hidden:]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_mask_secret.py <<'END'
from itsdangerous.encoding import mask_secret


def test_mask_secret_1():
    assert mask_secret("abcd") == "**cd"


def test_mask_secret_2():
    assert mask_secret("a") == "a"


def test_mask_secret_3():
    assert mask_secret("abcd", 1) == "***d"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('w3lib/http.py')
before = 'def headers_dict_to_raw(headers_dict: HeadersDictInput | None) -> bytes | None:'
new = 'def is_redirect(status: int) -> bool:\n    """Tell whether a status sends the client elsewhere.\n\n    Args:\n        status: The status of a response.\n\n    Returns:\n        What was asked for.\n    """\n    return status in (301, 302, 303, 307, 308)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_is_redirect.py <<'END'
from w3lib.http import is_redirect


def test_is_redirect_1():
    assert is_redirect(301) is True


def test_is_redirect_2():
    assert is_redirect(200) is False


def test_is_redirect_3():
    assert is_redirect(304) is False
END

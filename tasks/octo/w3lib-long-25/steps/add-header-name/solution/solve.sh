#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('w3lib/http.py')
before = 'def headers_dict_to_raw(headers_dict: HeadersDictInput | None) -> bytes | None:'
new = 'def header_name(name: str) -> str:\n    """Write the name of a header with capitals.\n\n    Args:\n        name: The name in any case.\n\n    Returns:\n        What was asked for.\n    """\n    return "-".join(part.capitalize() for part in name.split("-"))\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_header_name.py <<'END'
from w3lib.http import header_name


def test_header_name_1():
    assert header_name("content-type") == "Content-Type"


def test_header_name_2():
    assert header_name("HOST") == "Host"


def test_header_name_3():
    assert header_name("") == ""
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('w3lib/http.py')
before = 'def headers_dict_to_raw(headers_dict: HeadersDictInput | None) -> bytes | None:'
new = 'def media_type(value: str) -> str:\n    """Give a content type without its parameters.\n\n    Args:\n        value: The value of the header.\n\n    Returns:\n        What was asked for.\n    """\n    return value.partition(";")[0].strip().lower()\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_media_type.py <<'END'
from w3lib.http import media_type


def test_media_type_1():
    assert media_type("Text/HTML; charset=utf-8") == "text/html"


def test_media_type_2():
    assert media_type("") == ""


def test_media_type_3():
    assert media_type("a/b") == "a/b"
END

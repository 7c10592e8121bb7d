#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/marshmallow/utils.py')
before = 'def callable_or_raise(obj):'
new = 'def as_list(value: object) -> list:\n    """Put a value that is no list or tuple into a list.\n\n    Args:\n        value: The value, or several.\n\n    Returns:\n        What was asked for.\n    """\n    return list(value) if isinstance(value, (list, tuple)) else [value]\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_as_list.py <<'END'
from marshmallow.utils import as_list


def test_as_list_1():
    assert as_list(1) == [1]


def test_as_list_2():
    assert as_list((1, 2)) == [1, 2]


def test_as_list_3():
    assert as_list("ab") == ["ab"]
END

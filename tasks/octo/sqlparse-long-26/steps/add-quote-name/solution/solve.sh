#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('sqlparse/utils.py')
before = 'def consume(iterator, n):'
new = 'def quote_name(name: str, mark: str = \'"\') -> str:\n    """Put a name in quotes, doubling those inside.\n\n    Args:\n        name: The name.\n        mark: The character that quotes.\n\n    Returns:\n        What was asked for.\n    """\n    return mark + name.replace(mark, mark * 2) + mark\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_quote_name.py <<'END'
from sqlparse.utils import quote_name


def test_quote_name_1():
    assert quote_name("a") == '"a"'


def test_quote_name_2():
    assert quote_name('a"b') == '"a""b"'


def test_quote_name_3():
    assert quote_name("a", "`") == "`a`"
END

#!/bin/bash
set -e
python3 - <<'END'
from pathlib import Path

file = Path('src/anytree/search.py')
before = 'def _filter_by_name(node, name, value):'
new = 'def limit_results(results: list, most: int = 10) -> tuple:\n    """Cut a list of results and tell how many were left out.\n\n    Args:\n        results: What was found.\n        most: How many results are kept.\n\n    Returns:\n        What was asked for.\n    """\n    return tuple(results[:most]), max(0, len(results) - most)\n\n\n'
file.write_text(file.read_text().replace(before, new + before, 1))
END
cat > tests/test_limit_results.py <<'END'
from anytree.search import limit_results


def test_limit_results_1():
    assert limit_results([1, 2, 3], 2) == ((1, 2), 1)


def test_limit_results_2():
    assert limit_results([]) == ((), 0)


def test_limit_results_3():
    assert limit_results([1], 1) == ((1,), 0)
END

"""Rows of an export in a new file, lines of JSON or Parquet by its name: whole, or not there. Knows no format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agentgym.errors import UsageError

PARQUET = ".parquet"

Rows = Iterable[Mapping[str, Any]]


def write(rows: Rows, path: Path) -> int:
    """How many there were. Raises UsageError where pyarrow is wanted and missing, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")  # what breaks off in the middle is no export
    try:
        n = _write_parquet(rows, part) if path.suffix == PARQUET else _write_lines(rows, part)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return n


def _write_lines(rows: Rows, path: Path) -> int:
    n = 0
    with path.open("w", encoding="ascii") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            n += 1
    return n


def _write_parquet(rows: Rows, path: Path) -> int:
    """The columns' types are those of all rows together, so all are held at once."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(f"{PARQUET} needs pyarrow, which is not installed: pip install 'agentgym[parquet]'") from None
    held = [dict(row) for row in rows]
    if not held:
        raise UsageError(f"found no row, and {PARQUET} wants one at least: the columns come from the rows")
    parquet.write_table(pyarrow.Table.from_pylist(held), path)
    return len(held)

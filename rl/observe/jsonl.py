"""RUN/metrics.jsonl: each record is a line of JSON, on disk before the loop goes on. It does not know what records say.

A run that is killed and goes on from its last state does some steps again: their records stand in the file twice, with
a `start` of the state's step in between. `read` takes the later ones; the viewer and `pandas.read_json` read the lines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from agentgym.errors import UsageError
from agentgym.lines import LineFile
from rl.observe.record import Record

FILE = "metrics.jsonl"


class JsonLines:
    """Appends; what a dead run wrote before stays."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)

    def record(self, record: Record) -> None:
        told = record.model_dump(mode="json")
        # JSON has no other numbers; a curve has a gap there
        told["metrics"] = {name: value if math.isfinite(value) else None for name, value in record.metrics.items()}
        self._file.append(json.dumps(told).encode() + b"\n")

    def close(self) -> None:
        pass


def read(path: Path) -> list[Record]:
    """The records of a run as if it had never been killed. UsageError: a whole line is no record."""
    records: list[Record] = []
    for record in _lines(path):
        if record.kind == "start":
            records = [earlier for earlier in records if earlier.step <= record.step]
        records.append(record)
    return records


def _lines(path: Path) -> Iterator[Record]:
    for number, line in enumerate(LineFile(path).read(), start=1):
        try:
            told = json.loads(line.data)
        except ValueError:
            continue  # torn: its writer died there
        try:
            told["metrics"] = {name: math.nan if value is None else value for name, value in told["metrics"].items()}
            yield Record.model_validate(told)
        except (ValidationError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{path}:{number}: found another kind of line, wanted records of a training run") from None

"""A file of what judges answered, found again by what they were asked: a cache while judging, the judge itself offline.

One JSON line an answer, appended before the answer is used. It does not know what the answers say.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentgym.call import to_json
from agentgym.errors import UsageError
from agentgym.lines import LineFile
from agentgym.protocols import Message, Usage


class Answers:
    """Safe for threads; several processes may share the file, and each knows what was there when it began."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError where the file holds something else."""
        self.path = path
        self._file = LineFile(path)
        self._lock = threading.Lock()
        self._texts: dict[tuple[str, str], str] = {}
        """By model and key; and by no model, the newest of any."""
        for number, line in enumerate(self._file.read(), start=1):
            self._take(line.data, number)

    def __len__(self) -> int:
        return sum(model != "" for model, _ in self._texts)

    def find(self, messages: Sequence[Message], model: str = "") -> str | None:
        """What `model` answered, or any where it is empty; None: nothing that is on record."""
        with self._lock:
            return self._texts.get((model, _key(messages)))

    def keep(self, messages: Sequence[Message], model: str, text: str, usage: Usage) -> None:
        """Raises OSError."""
        key = _key(messages)
        line: dict[str, Any] = {
            "key": key,
            "model": model,
            "at": datetime.now(UTC),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "text": text,
        }
        with self._lock:
            self._file.append(to_json(line) + b"\n")
            self._texts[model, key] = self._texts["", key] = text

    def _take(self, data: bytes, number: int) -> None:
        try:
            line = json.loads(data)
        except ValueError:
            return  # torn: its writer died here
        try:
            key, model, text = (str(line[name]) for name in ("key", "model", "text"))
        except (KeyError, TypeError):
            raise UsageError(f"{self.path}:{number}: no answer of a judge, wanted key, model and text") from None
        self._texts[model, key] = self._texts["", key] = text


def _key(messages: Sequence[Message]) -> str:
    return hashlib.sha256(json.dumps(list(messages), sort_keys=True).encode()).hexdigest()

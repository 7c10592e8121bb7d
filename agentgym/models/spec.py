"""What the model classes share when they read the user's specs: TOML files and options, with errors of one line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agentgym.errors import UsageError
from agentgym.nearest import nearest


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables. Raises UsageError when it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # TOML's and UTF-8's errors are both
        raise UsageError(f"{path}: not TOML: {error}") from error


def refuse_unknown(options: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise UsageError at the first option that is not known."""
    known = sorted(known)
    for key in options:
        if key not in known:
            hint = nearest(key, known, what="option") or f" (known: {', '.join(known) or 'none'})"
            raise UsageError(f"{where} takes no option {key!r}{hint}")

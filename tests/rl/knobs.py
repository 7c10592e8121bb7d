"""Renews the table of knobs in docs/training.md from the configs' fields: python -m tests.rl.knobs docs/training.md"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rl.config import TrainConfig

BEGIN = "<!-- knobs: renewed by `python -m tests.rl.knobs docs/training.md` -->"
END = "<!-- end of knobs -->"
_SIGNS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}"}


def tables() -> Iterator[str]:
    """One for each table of the TOML file, those within others after them."""
    return _tables(TrainConfig, "", {})


def _tables(config: type[BaseModel], at: str, shown: dict[type[BaseModel], str]) -> Iterator[str]:
    leaves = {name: field for name, field in config.model_fields.items() if _inner(field) is None}
    if config in shown:
        yield f"#### `[{at}]`"
        yield f"As `[{shown[config]}]`."
        return
    shown[config] = at
    if leaves:
        told = _prose(config.__doc__ or "").removeprefix(f"[{at}]: ")
        yield f"#### `[{at}]`"
        yield told[:1].upper() + told[1:]
        rows = [
            f"| `{name}` | {_default(field)} | {_prose(field.description or '')} |" for name, field in leaves.items()
        ]
        yield "\n".join(["| | default | |", "|---|---|---|", *rows])
    for name, field in config.model_fields.items():
        inner = _inner(field)
        if inner is not None:
            several = get_origin(field.annotation) is tuple
            place = f"{at}.{name}" if at else name
            yield from _tables(inner, f"[{place}]" if several else place, shown)


def renewed(page: str) -> str:
    """The page with the tables as they are now."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return "\n\n".join([before + BEGIN, *tables(), END + after])


def _inner(field: FieldInfo) -> type[BaseModel] | None:
    """The config that a field is a table of."""
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    shown = "required" if field.is_required() else f"`{_toml(field.get_default(call_default_factory=True))}`"
    limits = [sign.format(f"{getattr(limit, name):g}") for limit in field.metadata for name, sign in _SIGNS.items() if hasattr(limit, name)]  # fmt: skip
    return ", ".join([shown, *limits])


def _toml(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float):
        return f"{value:g}"
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _prose(text: str) -> str:
    """On one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")

"""What scaffolds say to models, a file a message."""

from __future__ import annotations

from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent


def render(prompt: str, **values: str) -> str:
    """A file of this folder with its ${names} replaced; `$$` in it stands for a dollar sign."""
    return Template((FOLDER / prompt).read_text(encoding="utf-8")).substitute(values)

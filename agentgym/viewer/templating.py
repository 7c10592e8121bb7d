"""The templates, and the two walls around all that they put out: it is escaped, and nothing of it hides."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agentgym.viewer import chart, format, prose, table
from agentgym.viewer.visible import visible

STATIC = Path(__file__).parent / "static"


@cache
def templates() -> Environment:
    """Compiled now, and not while somebody waits for a page."""
    made = Environment(
        loader=PackageLoader("agentgym.viewer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters.update(
        count=format.count,
        figure=chart.figure,
        seconds=format.seconds,
        size=format.size,
        reward=format.reward,
        short=format.short,
        tone=format.tone,
        when=format.when,
        pieces=prose.pieces,
        urlencode=partial(quote, errors="replace"),
        segment=partial(quote, safe="", errors="replace"),
    )
    made.globals.update(query_of=table.Query().text, ending=table.ending, chart=chart)
    for name in made.list_templates():
        made.get_template(name)
    return made


def _shown(value: Any) -> Any:
    """What a template puts out: nothing of it hides."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

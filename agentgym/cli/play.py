"""`agentgym play`: the options; the session itself is in session.py, so that `--help` need not load it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def play(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name or folder of one task.", show_default=False)],
    sandbox: Annotated[str, typer.Option(metavar="BACKEND", help="namespaces or docker.")] = "namespaces",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append the trajectory to this file at the end.")
    ] = None,
    online: Annotated[bool, typer.Option("--online", help="Network, where the task asks for it.")] = False,
) -> None:
    """Step through a task by hand.

    A line is a bash command; :help lists what else there is. Exit code 0: solved, or left with :quit; 1: submitted and
    not solved; 3: infrastructure left no reward.
    """
    from agentgym.cli.select import one
    from agentgym.cli.session import Session

    if code := Session(one(task), sandbox, out=out, online=online).run():
        raise typer.Exit(code)

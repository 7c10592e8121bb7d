"""`agentgym run`: the options; what is done with them is in rolling.py, so that `--help` need not load it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentgym.cli.console import note, print_json
from agentgym.cli.options import ModelOptions, read_options


def run(
    tasks: Annotated[list[str], typer.Argument(metavar="TASK", help="Names, folders or globs.", show_default=False)],
    scaffold: Annotated[str, typer.Option(metavar="NAMES", help="One or more, with commas between them.")] = "bash",
    model: Annotated[
        str | None, typer.Option(metavar="SPEC", help="KIND:REST, such as endpoint:NAME@http://localhost:8000/v1.")
    ] = None,
    option: ModelOptions = None,
    sandbox: Annotated[str, typer.Option(metavar="BACKEND", help="namespaces or docker.")] = "namespaces",
    parallel: Annotated[int, typer.Option(min=1, metavar="N", help="Episodes at once.")] = 1,
    attempts: Annotated[int, typer.Option(min=1, metavar="K", help="Episodes of each task by each scaffold.")] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trajectories, one JSON line each; the same file resumes a run.")
    ] = None,
    max_turns: Annotated[int, typer.Option(min=1, metavar="N", help="Model replies an episode may use.")] = 100,
    timeout_s: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="SECONDS", help="Wall clock an episode may use; else what its task says."),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Recorded; the n-th attempt has N + n.")] = None,
    online: Annotated[bool, typer.Option("--online", help="Network for the tasks that ask for it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Run agents over tasks and grade their work.

    What is settled in --out is not run again; what infrastructure broke is. Exit code 0: every episode has a reward;
    1: there was one task and an episode did not solve it; 2: a task or an option is wrong; 3: infrastructure left
    episodes without a reward; 130: Ctrl-C, the finished episodes are kept.
    """
    from agentgym.cli.rolling import Run

    wanted = Run(
        patterns=tasks,
        scaffolds=scaffold.split(","),
        model=model,
        options=read_options(option),
        sandbox=sandbox,
        parallel=parallel,
        attempts=attempts,
        out=out,
        max_turns=max_turns,
        timeout_s=timeout_s,
        online=online,
        seed=seed,
    )
    summary = wanted.execute()
    if as_json:
        print_json(summary.as_json())
    else:
        summary.show()
    finished = len(summary.trajectories)
    if summary.interrupted:
        note(f"interrupted: {finished} of {summary.n_wanted} finished; --out {summary.out} goes on from here")
    elif finished:
        note(f"trajectories: {summary.out}")
    if code := summary.exit_code():
        raise typer.Exit(code)

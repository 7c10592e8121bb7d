"""`agentgym train` and `agentgym sft`: the options; what is done with them is running.py's, so that help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Argument(metavar="CONFIG", help="A .toml file, such as configs/quickstart.toml.")]
Out = Annotated[
    Path | None, typer.Option(metavar="RUN", help="Folder of the run. [default: runs/CONFIG-DATE]", show_default=False)
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Instead of the config's.")]
AsJson = Annotated[bool, typer.Option("--json", help="End with one line of JSON on stdout.")]


def train(
    config: Config = None,
    out: Out = None,
    seed: Seed = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped or killed.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything that the config names, and end.")
    ] = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Tell how busy trainer and rollouts would be, by [simulation].")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a policy on the rewards of its own episodes.

    Ctrl-C saves a state; --resume goes on from it, as after any other end. Exit code 0: done; 2: the config, or what it
    names, is wrong; 3: infrastructure, or the numbers went wrong; 130: Ctrl-C.
    """
    from rl import running

    if resume is not None:
        running.resumed(resume, given=(config, out, seed), as_json=as_json)
    elif dry_run:
        running.checked(config, seed)
    elif simulate:
        running.simulated(config, seed, as_json=as_json)
    else:
        running.trained(config, out, seed, as_json=as_json)


def sft(config: Config = None, out: Out = None, seed: Seed = None, as_json: AsJson = False) -> None:
    """Imitate demonstrations: the [warmstart] of a training config, and nothing else.

    The checkpoint lies in RUN/model, in the layout that `policy:` and transformers read.
    """
    from rl import running

    running.imitated(config, out, seed, as_json=as_json)

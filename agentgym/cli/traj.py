"""`agentgym traj`: look at trajectories, compare them, bring them into other formats, find what a dead run left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentgym.cli.console import note, plain, print_json, seconds, size, stdout, table
from agentgym.cli.export import export
from agentgym.errors import UsageError

if TYPE_CHECKING:
    from agentgym.index import Entry
    from agentgym.trajectory import Trajectory

app = typer.Typer(help="List, show, compare and export trajectories.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A .jsonl or .jsonl.gz of trajectories.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(file: File, as_json: AsJson = False) -> None:
    """List the trajectories of a file."""
    from agentgym.index import open_index

    entries = open_index(file).entries
    if as_json:
        print_json([_facts(entry) for entry in entries])
        return
    columns = "id task scaffold model n> turns> calls> tokens> time> size> reward>".split()
    rows = table([*columns, "ended by"])
    for entry in entries:
        names = (entry.id, entry.task, entry.scaffold, entry.model)
        counts = (entry.attempt, entry.n_turns, entry.n_calls, entry.usage.completion_tokens)
        reward = "-" if entry.reward is None else f"{entry.reward:g}"
        ended_by = str(entry.stop_reason or entry.owner or "-")
        amounts = (seconds(entry.duration_s), size(entry.n_bytes), reward)
        rows.add_row(*map(plain, names), *map(str, counts), *amounts, ended_by)
    if entries:
        stdout().print(rows)
    note(f"{len(entries)} trajector{'y' if len(entries) == 1 else 'ies'}")


@app.command()
def show(
    file: File,
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Its id or how it begins; needed where the file holds several.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Cut nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one trajectory, turn by turn."""
    from agentgym.call import to_json
    from agentgym.cli import trajectory

    found = _one(file, id)
    if as_json:
        print_json(json.loads(to_json(found.model_dump())))
    else:
        trajectory.show(found, full=full)


@app.command()
def diff(
    file: File,
    one: Annotated[str, typer.Argument(metavar="A", help="An id in FILE; or a second file: each then holds one.")],
    other: Annotated[str | None, typer.Argument(metavar="[B]", help="Another id in FILE.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show where two trajectories part, turn by turn."""
    from agentgym.cli import trajectory
    from agentgym.views.difference import differences

    if other is not None:
        pair = _one(file, one), _one(file, other)
    elif Path(one).is_file():
        pair = _one(file, None), _one(Path(one), None)
    else:
        raise UsageError(f"{one}: no such file; wanted a second file, or two ids: agentgym traj diff FILE A B")
    found = list(differences(*pair))
    if as_json:
        print_json([{"turn": d.turn, "what": d.what, "one": d.one, "other": d.other} for d in found])
    else:
        trajectory.show_differences(found)
        note(f"{len(found)} difference{'' if len(found) == 1 else 's'}")


app.command("export")(export)


@app.command()
def recover(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Of a run that died: the .jsonl whose journal lies beside it.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append them to this file; else they are only listed.")
    ] = None,
) -> None:
    """List the episodes that a run did not finish, as far as its journal has them."""
    from agentgym.gateway.journal import Journal
    from agentgym.gateway.reading import unfinished
    from agentgym.index import open_index
    from agentgym.store import TrajectoryStore

    # a run may have died before its first episode ended
    finished = {entry.id for entry in open_index(file).entries} if file.exists() else set()
    rows = table(["id", "task", "scaffold", "model", "turns>", "calls>"])
    for found in unfinished(Journal.beside(file), lambda episode: episode not in finished):
        names = (found.id, found.task.name, found.scaffold, found.model)
        rows.add_row(*map(plain, names), str(len(found.turns)), str(len(found.calls)))
        if out is not None:
            TrajectoryStore(out).append(found)
    if rows.row_count:
        stdout().print(rows)
    note(f"{rows.row_count} unfinished" + (f", written to {out}" if out is not None and rows.row_count else ""))


def _one(file: Path, id: str | None) -> Trajectory:
    from agentgym.index import open_index

    index = open_index(file)
    if id is not None:
        return index.read(index.find(id))
    if len(index.entries) != 1:
        n = len(index.entries)
        raise UsageError(f"{file}: found {n} trajectories, wanted one; name it: `agentgym traj list {file}`")
    return index.read(index.entries[0])


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "task": entry.task,
        "suite": entry.suite,
        "split": entry.split,
        "scaffold": entry.scaffold,
        "model": entry.model,
        "attempt": entry.attempt,
        "started_at": entry.started_at.isoformat(),
        "duration_s": entry.duration_s,
        "turns": entry.n_turns,
        "calls": entry.n_calls,
        "prompt_tokens": entry.usage.prompt_tokens,
        "completion_tokens": entry.usage.completion_tokens,
        "bytes": entry.n_bytes,
        "stop_reason": entry.stop_reason,
        "reward": entry.reward,
        "owner": entry.owner,
    }

"""`agentgym traj export`: trajectories in another format, as lines of JSON or Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentgym.cli import rows_file
from agentgym.cli.console import note, warn
from agentgym.errors import UsageError

if TYPE_CHECKING:
    from agentgym.index import Entry, TrajectoryIndex
    from agentgym.trajectory import Trajectory

FORMATS = (
    "atif: ATIF v1.7. messages: OpenAI messages, one conversation a line. samples: token ids to train on. "
    "training: the same in groups, with advantages, for other trainers. "
    "raw: requests and responses from the journal. record: trajectories as they are."
)


class Format(StrEnum):
    """What `export` writes."""

    ATIF = "atif"
    MESSAGES = "messages"
    SAMPLES = "samples"
    TRAINING = "training"
    RAW = "raw"
    RECORD = "record"


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .jsonl or .jsonl.gz of trajectories.")],
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only this one; all when left out.")] = None,
    format: Annotated[Format, typer.Option(help=FORMATS)] = Format.ATIF,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write here and not to stdout; with record, .jsonl.gz compresses; with samples and training, .parquet "
            "is a table.",
        ),
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Check each ATIF document against the format's rules.")
    ] = False,
) -> None:
    """Write trajectories in another format, as lines of JSON."""
    from agentgym.index import open_index

    if validate and format is not Format.ATIF:
        raise UsageError(f"--validate checks atif, not {format.value}")
    if out is not None and out.suffix == rows_file.PARQUET and format not in (Format.SAMPLES, Format.TRAINING):
        raise UsageError(f"{out}: {format.value} is no table; wanted .jsonl, or the format samples or training")
    if out is not None and out.exists():
        raise UsageError(f"{out}: exists; wanted a new file, nothing is written over")
    index = open_index(file)
    entries = index.entries if id is None else [index.find(id)]
    if format is Format.RECORD:
        _copy(index, entries, out)
    elif format is Format.RAW:
        _write(_raw(file, entries), out)
    elif format is Format.TRAINING:
        from agentgym import entry

        make_rows = entry.load_export(format.value)
        _write(make_rows((index.read(entry) for entry in entries), warn), out)
    else:
        _write((line for entry in entries for line in _lines(index.read(entry), format, validate)), out)


def _copy(index: TrajectoryIndex, entries: list[Entry], out: Path | None) -> None:
    from agentgym.store import TrajectoryStore

    if out is None:
        raise UsageError("record wants --out: it copies trajectories into another file")
    store = TrajectoryStore(out)
    for entry in entries:
        store.append(index.read(entry))
    note(f"{len(entries)} written to {out}")


def _raw(file: Path, entries: list[Entry]) -> Iterator[dict[str, Any]]:
    from agentgym.gateway.journal import Journal
    from agentgym.gateway.reading import raw_lines

    ids = {entry.id for entry in entries}
    return raw_lines(Journal.beside(file), ids.__contains__)


def _lines(trajectory: Trajectory, format: Format, validate: bool) -> Iterable[dict[str, Any]]:
    if format is Format.MESSAGES:
        from agentgym.views.messages import message_lines

        return message_lines(trajectory)
    return _samples(trajectory) if format is Format.SAMPLES else [_atif(trajectory, validate)]


def _atif(trajectory: Trajectory, validate: bool) -> dict[str, Any]:
    from agentgym.views.atif import to_atif
    from agentgym.views.atif_schema import problems

    document = to_atif(trajectory).as_json()
    if validate and (broken := problems(document)):
        more = f" (and {len(broken) - 1} more)" if broken[1:] else ""
        raise UsageError(f"trajectory {trajectory.id}: {broken[0]}{more}")
    return document


def _samples(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    from agentgym.views.samples import samples

    reason = trajectory.stop_reason
    if reason is None or not reason.trains:
        why = reason.value if reason else "an error"
        warn(f"trajectory {trajectory.id} is left out: it ended by {why}, which nobody learns from")
        return
    if not trajectory.calls:
        raise UsageError(f"trajectory {trajectory.id} has no calls on record, so there are no token ids to train on")
    try:
        for sample in samples(trajectory.calls):
            yield {"trajectory": trajectory.id, "reward": trajectory.reward, **sample.model_dump()}
    except UsageError as error:
        raise UsageError(f"trajectory {trajectory.id}: {error}") from None


def _write(lines: Iterable[Mapping[str, Any]], out: Path | None) -> None:
    if out is None:
        for line in lines:
            print(json.dumps(line))
        return
    n = rows_file.write(lines, out)
    note(f"{n} line{'' if n == 1 else 's'} written to {out}")

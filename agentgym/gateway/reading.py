"""A run's journal read back: raw requests and responses, and what there is of episodes whose run died.

Lines that a dying writer tore are stepped over. It may be read while it is written.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentgym.call import Call
from agentgym.errors import UsageError
from agentgym.gateway.raw import unpack
from agentgym.lines import LineFile
from agentgym.trajectory import Failure, TaskRef, Trajectory
from agentgym.views.turns import turns_of

logger = logging.getLogger(__name__)

Wanted = Callable[[str], bool]
"""Whether an episode, by its id, is asked for."""


def raw_lines(path: Path, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Each call as it stands in the journal, with its episode's id and its request whole.

    Calls of scaffolds in this process went over no wire and have neither request nor response. Raises UsageError.
    """
    episodes: dict[str, str] = {}
    requests: dict[str, dict[int, dict[str, Any]]] = {}
    for line in _lines(path):
        session = line["session"]
        match line["kind"]:
            case "session" if wanted(line.get("episode", "")):
                episodes[session], requests[session] = line.get("episode", ""), {}
            case "call" if session in episodes:
                if "request" in line:
                    line["request"] = _unpacked(line, requests[session], path)
                yield {"episode": episodes[session], **line}
            case "seal":
                requests.pop(session, None)  # it is all that takes memory


def unfinished(path: Path, wanted: Wanted) -> Iterator[Trajectory]:
    """The episodes as far as their calls had ended, without stop reason and outcome. Raises UsageError."""
    opened: dict[str, dict[str, Any]] = {}
    calls: dict[str, dict[int, Call]] = {}
    for line in _lines(path):
        session = line["session"]
        if line["kind"] == "session" and wanted(line.get("episode", "")):
            opened[session], calls[session] = line, {}
        elif line["kind"] == "call" and session in opened:
            try:
                calls[session][line["index"]] = Call.model_validate(line["call"])
            except ValidationError as error:
                what = error.errors()[0]["msg"]
                raise UsageError(f"{path}: call {line['index']} of session {session} is none: {what}") from None
    for session, line in opened.items():
        yield _trajectory(line, calls[session])


def _trajectory(opened: dict[str, Any], by_index: dict[int, Call]) -> Trajectory:
    places = {index: place for place, index in enumerate(sorted(by_index))}
    calls = [
        call.model_copy(update={"parent": None if call.parent is None else places[call.parent]})
        for _, call in sorted(by_index.items())
    ]
    main = turns_of(calls)
    return Trajectory(
        id=opened.get("episode", opened["session"]),
        task=TaskRef(name=opened.get("task", ""), checksum=""),
        attempt=int(opened.get("attempt", 0)),
        scaffold=opened.get("scaffold", ""),
        model=opened.get("model", ""),
        backend="",
        started_at=opened["at"],
        messages=main.messages,
        tools=main.tools,
        turns=main.turns,
        calls=calls,
        error=Failure(owner="caller", type="Unfinished", message="the run ended before this episode did"),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise UsageError(f"{path}: no such file; it is written beside the trajectories while a run goes on")
    for number, line in enumerate(LineFile(path).read(), start=1):
        try:
            data = json.loads(line.data)
        except ValueError:
            if line.data.strip():
                logger.warning("%s:%d: skipped a torn line, %d bytes: a writer died here", path, number, len(line.data))
            continue
        if not isinstance(data, dict) or not {"kind", "session"} <= data.keys():
            raise UsageError(f"{path}:{number}: found no kind and session, wanted a line of a gateway's journal")
        yield data


def _unpacked(line: dict[str, Any], earlier: dict[int, dict[str, Any]], path: Path) -> dict[str, Any]:
    index = line["index"]
    try:
        earlier[index] = unpack(line["request"], earlier)
    except KeyError as missing:
        raise UsageError(
            f"{path}: the request of call {index} in session {line['session']} begins as that of call {missing}, "
            "which is not in the journal"
        ) from None
    return earlier[index]

"""A journal is read back whole, however its writer ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.call import Call
from agentgym.errors import ModelError, UsageError
from agentgym.gateway import Gateway
from agentgym.gateway.journal import Journal
from agentgym.gateway.reading import raw_lines, unfinished
from agentgym.gateway.session import Session, Wire
from agentgym.protocols import Message, Reply
from tests.views.agents import BASH, Script, calling, result, saying, user


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "run.calls.jsonl")
    yield journal
    journal.close()


def anyone(_episode: str) -> bool:
    return True


def ask(session: Session, messages: list[Message], **body: Any) -> list[Message]:
    """As a request over HTTP would; the conversation with its reply."""
    request = {"model": "m", "messages": messages, "tools": [BASH], **body}
    wire = Wire("chat", request, (), lambda reply: {"choices": [{"message": dict(reply.message)}]})
    *_, reply = session.stream(messages, [BASH], wire=wire)
    assert isinstance(reply, Reply)
    return [*messages, reply.message]


def worked(journal: Journal, episode: str, seal: bool = True) -> list[Call]:
    gateway = Gateway(journal)
    script = Script(calling(("1", "bash", {"command": "ls"})), saying("Done."))
    session = gateway.open(script, episode=episode, task="demo/fix", scaffold="agent", attempt="2")
    said = ask(session, [user("Fix it.")])
    ask(session, [*said, result("1", "a.py")], temperature=0.5)
    if seal:
        gateway.forget(session)
    return session.calls


def test_requests_are_whole_again_with_their_fields(journal: Journal) -> None:
    worked(journal, "e1")
    worked(journal, "e2")
    assert '"same_as"' in journal.path.read_text(), "or there is nothing to unpack"
    first, second = raw_lines(journal.path, lambda episode: episode == "e2")
    assert (first["episode"], first["index"], second["index"]) == ("e2", 0, 1)
    assert first["request"] == {"model": "m", "messages": [user("Fix it.")], "tools": [BASH]}
    assert second["request"] == {
        "model": "m",
        "messages": [user("Fix it."), calling(("1", "bash", {"command": "ls"})), result("1", "a.py")],
        "tools": [BASH],
        "temperature": 0.5,
    }
    assert second["response"] == {"choices": [{"message": saying("Done.")}]}


def test_sessions_may_interleave(journal: Journal) -> None:
    gateway = Gateway(journal)
    sessions = [gateway.open(Script(saying("a"), saying("b")), episode=f"e{n}") for n in range(2)]
    said = [ask(session, [user(f"Go {n}.")]) for n, session in enumerate(sessions)]
    for n, session in enumerate(sessions):
        ask(session, [*said[n], user("On.")])
    lines = list(raw_lines(journal.path, anyone))
    assert [line["request"]["messages"][0] for line in lines] == [user("Go 0."), user("Go 1.")] * 2


def test_calls_of_this_process_went_over_no_wire(journal: Journal) -> None:
    session = Gateway(journal).open(Script(saying("a")), episode="e")
    session.reply([user("Go.")])
    [line] = raw_lines(journal.path, anyone)
    assert line["call"]["reply"] == saying("a")
    assert "request" not in line


def test_an_episode_whose_run_died_is_there_as_far_as_it_came(journal: Journal) -> None:
    worked(journal, "done")
    calls = worked(journal, "died", seal=False)
    [trajectory] = unfinished(journal.path, lambda episode: episode != "done")
    assert trajectory.calls == calls
    assert (trajectory.id, trajectory.task.name, trajectory.scaffold, trajectory.attempt) == (
        "died",
        "demo/fix",
        "agent",
        2,
    )
    assert [[step.observation for step in turn.steps] for turn in trajectory.turns] == [["a.py"], []]
    assert trajectory.messages[-1] == saying("Done.")
    assert (trajectory.stop_reason, trajectory.outcome, trajectory.settled) == (None, None, False)


def test_whatever_the_last_line_is_torn_to_what_precedes_it_is_read(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    calls = worked(journal, "e", seal=False)
    whole = journal.path.read_bytes()
    last = len(whole) - len(whole.splitlines(keepends=True)[-1])
    for end in range(last + 1, len(whole) - 1, 7):
        journal.path.write_bytes(whole[:end])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            [trajectory] = unfinished(journal.path, anyone)
        assert trajectory.calls == calls[:1]
        assert f"{journal.path}:3: skipped a torn line, {end - last} bytes" in caplog.text
        assert len(list(raw_lines(journal.path, anyone))) == 1


def test_a_call_that_failed_is_there_too(journal: Journal) -> None:
    class Broken(Script):
        def reply(self, *_: Any) -> Reply:
            raise ModelError("the server is down")

    session = Gateway(journal).open(Broken(), episode="e")
    with pytest.raises(ModelError):
        session.reply([user("Go.")])
    [trajectory] = unfinished(journal.path, anyone)
    assert [call.error for call in trajectory.calls] == ["the server is down"]
    assert trajectory.turns == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"id": "x"}, ":1: found no kind and session, wanted a line of a gateway's journal"),
        ([], ":1: found no kind and session"),
        ({"kind": "call", "session": "s", "index": 0, "call": {"started_at": 1, "colour": "red"}}, ": call 0 of session s is none: "),
        (
            {"kind": "call", "session": "s", "index": 1, "call": {}, "request": {"messages": {"same_as": 0, "n": 1, "then": []}}},
            "the request of call 1 in session s begins as that of call 0, which is not in the journal",
        ),
    ],
)  # fmt: skip
def test_what_is_no_journal_is_refused_in_one_line(tmp_path: Path, line: Any, said: str) -> None:
    path = tmp_path / "a.calls.jsonl"
    opened = {"kind": "session", "session": "s", "episode": "e", "at": "2026-01-02T12:00:00Z"}
    lines = [opened, line] if isinstance(line, dict) and "kind" in line else [line]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(UsageError) as caught:
        list(raw_lines(path, anyone) if "request" in line else unfinished(path, anyone))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; it is written beside the trajectories"):
        list(raw_lines(tmp_path / "a.calls.jsonl", anyone))

"""Episodes that are known from the journal alone."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from agentgym.gateway import Gateway
from agentgym.gateway import Journal as Written
from agentgym.viewer.journal import Journal
from tests.gateway.fakes import TokenFake
from tests.viewer.episodes import called, journal, opened, rich

CALLS = rich().calls


def test_what_the_gateway_writes_is_read_as_it_happens(tmp_path: Path) -> None:
    path = tmp_path / "a.calls.jsonl"
    read = Journal(path)
    read.refresh(())
    assert read.sessions == {}
    with closing(Written(path)) as written, Gateway(written) as gateway:
        session = gateway.open(TokenFake(), episode="e1", task="demo/fix", scaffold="bash")
        read.refresh(())
        (found,) = read.episode("e1")
        assert (found.task, found.scaffold, found.model, found.sealed) == ("demo/fix", "bash", "token-fake", False)
        assert found.calls == []
        reply = session.reply([{"role": "user", "content": "go"}])
        session.reply([{"role": "user", "content": "go"}, reply.message, {"role": "user", "content": "on"}])
        read.refresh(())
        assert read.episode("e1")[0].calls == session.calls
        session.seal()
        read.refresh(())
        assert read.sessions[session.id].sealed


def test_what_is_recorded_is_let_go(tmp_path: Path) -> None:
    read = Journal(journal(tmp_path / "a.calls.jsonl", opened("e1"), called(CALLS[0], 0), opened("e2", "s2")))
    read.refresh({"e1"})
    assert list(read.sessions) == ["s2"]
    journal(read.path, called(CALLS[1], 1), {"kind": "seal", "session": "s1", "at": ""})
    read.refresh({"e1", "e2"})
    assert read.sessions == {}


def test_lines_that_are_torn_or_strange_are_stepped_over(tmp_path: Path) -> None:
    path = journal(tmp_path / "a.calls.jsonl", opened("e1"))
    with path.open("a") as file:
        file.write('{"kind": "call", "session": "s1", "ind\n[1]\n\n{"kind": "session", "session": "s9", torn\n')
    journal(path, called(CALLS[0], 0), {"kind": "news", "session": "s1"}, called(CALLS[0], 0, session="unknown"))
    read = Journal(path)
    read.refresh(())
    assert list(read.sessions) == ["s1"]


def test_a_line_in_mid_write_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = journal(tmp_path / "a.calls.jsonl", opened("e1"))
    line = json.dumps(called(CALLS[0], 0))
    read = Journal(path)
    for part in (line[:50], line[50:], "\n"):
        with path.open("a") as file:
            file.write(part)
        read.refresh(())
    assert read.episode("e1")[0].calls == [CALLS[0]]


def test_a_journal_that_was_begun_anew(tmp_path: Path) -> None:
    read = Journal(journal(tmp_path / "a.calls.jsonl", opened("e1"), called(CALLS[0], 0)))
    read.refresh(())
    read.path.unlink()
    read.refresh(())
    assert read.sessions == {}
    journal(read.path, opened("e2", "s2"))
    read.refresh(())
    assert list(read.sessions) == ["s2"]


def test_text_that_is_no_unicode(tmp_path: Path) -> None:
    call = CALLS[0].model_copy(update={"messages": [{"role": "user", "content": "half \ud800"}]})
    read = Journal(journal(tmp_path / "a.calls.jsonl", opened("e1"), called(call, 0)))
    read.refresh(())
    assert read.episode("e1")[0].calls == [call]

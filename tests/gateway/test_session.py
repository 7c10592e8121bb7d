"""Sessions: what is asked is what is recorded, id for id, however the caller treats its history."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.call import Call
from agentgym.errors import ModelError
from agentgym.gateway import Gateway, Journal, SessionSealed, Wire
from agentgym.gateway.session import PROMPTS_HELD, Session
from agentgym.models.scripted import ScriptedModel
from agentgym.protocols import Delta, Message, Reply
from tests.gateway.fakes import TokenFake

Conversation = list[Message]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def said(reply: Reply, **changes: Any) -> Message:
    return {**reply.message, **changes}  # type: ignore[typeddict-item]


def path(calls: Sequence[Call], index: int) -> list[int]:
    """All ids of a call, by the definition in call.py."""
    call = calls[index]
    assert call.tokens is not None
    shared = path(calls, call.parent)[: call.tokens.n_shared] if call.parent is not None else []
    return shared + call.tokens.prompt + call.tokens.sampled


@pytest.fixture
def model() -> TokenFake:
    return TokenFake()


@pytest.fixture
def session(model: TokenFake) -> Session:
    return Gateway().open(model)


def test_a_conversation_that_goes_on_is_extended_by_ids(session: Session, model: TokenFake) -> None:
    messages = [user("one")]
    for text in ("two", "three"):
        messages += [said(session.reply(messages)), user(text)]
    session.reply(messages)
    assert [(call.parent, call.drift, call.n_kept) for call in session.calls] == [
        (None, "root", 0),
        (0, "clean", 2),
        (1, "clean", 4),
    ]
    for (read, sampled), (after, _) in zip(model.sent, model.sent[1:], strict=False):
        assert after[: len(read) + len(sampled)] == (*read, *sampled)
    assert [path(session.calls, n) for n in range(3)] == [[*read, *sampled] for read, sampled in model.sent]
    assert [call.messages for call in session.calls] == [[user("one")], [user("two")], [user("three")]]


def test_a_reply_that_comes_back_with_other_blanks_is_realigned(model: TokenFake) -> None:
    session = Gateway().open(TokenFake(lambda ids: "  said\n\n"))
    reply = session.reply([user("one")])
    session.reply([user("one"), said(reply, content="said"), user("two")])
    assert session.calls[1].drift == "realigned"
    tokens = session.calls[1].tokens
    assert tokens is not None
    assert tokens.n_shared == len(path(session.calls, 0))


def test_arguments_that_come_back_with_their_defaults_are_realigned() -> None:
    def call(arguments: str) -> Message:
        function = {"name": "Edit", "arguments": arguments}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": function}],
        }  # type: ignore[typeddict-item]

    session = Gateway().open(ScriptedModel([Reply(call('{"path": "a", "new": "0"}')), "done", "done"]))
    session.reply([user("one")])
    for arguments in ('{"all":false,"new":"0","path":"a"}', '{"new":"","path":"a"}'):
        session.reply([user("one"), call(arguments), {"role": "tool", "content": "ok", "tool_call_id": "1"}])
    assert [call.drift for call in session.calls] == ["root", "realigned", "forked"]


def test_a_reply_that_comes_back_changed_is_a_fork(session: Session) -> None:
    reply = session.reply([user("one")])
    session.reply([user("one"), said(reply, content="what I never said"), user("two")])
    fork = session.calls[1]
    assert (fork.parent, fork.drift, fork.n_kept) == (0, "forked", 1)
    assert fork.messages == [{"role": "assistant", "content": "what I never said"}, user("two")]
    assert fork.tokens is not None
    assert 0 < fork.tokens.n_shared < len(path(session.calls, 0))


def test_a_conversation_of_its_own_is_a_root(session: Session) -> None:
    session.reply([{"role": "system", "content": "main"}, user("one")])
    session.reply([{"role": "system", "content": "title"}, user("one")])
    assert [call.drift for call in session.calls] == ["root", "root"]


def test_other_tools_are_a_fork(session: Session) -> None:
    tool = {"type": "function", "function": {"name": "bash", "parameters": {}}}
    reply = session.reply([user("one")], [tool])
    session.reply([user("one"), said(reply), user("two")])
    fork = session.calls[1]
    assert (fork.parent, fork.drift, fork.n_kept, fork.tools) == (0, "forked", 2, [])


def test_the_same_request_again_is_a_sibling(session: Session, model: TokenFake) -> None:
    first, second = session.reply([user("one")]), session.reply([user("one")])
    assert [(call.parent, call.drift, call.n_kept) for call in session.calls] == [(None, "root", 0), (0, "forked", 1)]
    # both can be gone on from
    for reply in (first, second):
        session.reply([user("one"), said(reply), user("more")])
    assert [path(session.calls, n) for n in range(4)] == [[*read, *sampled] for read, sampled in model.sent]


def test_a_prompt_that_is_no_longer_held_is_rendered_anew(session: Session, model: TokenFake) -> None:
    first = session.reply([user("one")])
    for n in range(PROMPTS_HELD):
        session.reply([user(f"other {n}")])
    session.reply([user("one"), said(first), user("two")])
    call = session.calls[-1]
    assert (call.parent, call.drift) == (0, "forked")
    assert path(session.calls, len(session.calls) - 1) == [*model.sent[-1][0], *model.sent[-1][1]]


def test_versions_are_runs(session: Session, model: TokenFake) -> None:
    model.version = 7
    session.reply([user("one")])
    tokens = session.calls[0].tokens
    assert tokens is not None
    assert tokens.versions == [(7, len(tokens.sampled))]


def test_a_model_without_tokens_is_recorded_without() -> None:
    session = Gateway().open(ScriptedModel(["first", "second"]))
    reply = session.reply([user("one")])
    session.reply([user("one"), said(reply), user("two")])
    assert [(call.drift, call.tokens) for call in session.calls] == [("root", None), ("clean", None)]


def test_a_failure_is_recorded_and_stays_until_a_reply_comes() -> None:
    session = Gateway().open(ScriptedModel(lambda messages: _fail() if len(messages) == 1 else "fine"))
    with pytest.raises(ModelError, match="no luck"):
        session.reply([user("one")])
    assert session.failure is not None
    assert session.calls[0].error == "no luck"
    session.reply([user("one"), user("two")])
    assert session.failure is None


def _fail() -> str:
    raise ModelError("no luck")


def test_a_caller_that_goes_away_is_recorded(session: Session) -> None:
    pieces = session.stream([user("one")])
    assert isinstance(next(pieces), Delta)
    pieces.close()  # type: ignore[attr-defined]
    assert [call.error for call in session.calls] == ["the caller went away"]


def test_a_sealed_session_answers_nothing(session: Session, model: TokenFake) -> None:
    in_flight = session.stream([user("one")])
    next(in_flight)
    session.seal()
    session.seal()
    with pytest.raises(SessionSealed):
        session.reply([user("two")])
    with pytest.raises(SessionSealed):
        list(in_flight)
    assert session.calls == []


def test_the_journal_holds_what_the_session_holds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.calls.jsonl")
    with Gateway(journal) as gateway:
        session = gateway.open(TokenFake(), episode="e1")
        reply = session.reply([user("one \ud800")])
        session.reply([user("one \ud800"), said(reply), user("two")])
        calls = session.calls
    lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["session", "call", "call", "seal"]
    assert (lines[0]["episode"], lines[0]["model"]) == ("e1", "token-fake")
    assert [Call.model_validate(line["call"]) for line in lines[1:3]] == calls


def test_a_journal_that_cannot_be_written_fails_the_call(tmp_path: Path) -> None:
    journal = Journal(Path("/dev/full"))
    gateway = Gateway()
    gateway._journal = None
    session = gateway.open(TokenFake())
    session._journal = journal
    with pytest.raises(ModelError, match="cannot be recorded"):
        session.reply([user("one")])
    assert session.failure is not None


def test_many_threads_each_find_their_own_conversation(model: TokenFake) -> None:
    gateway = Gateway()
    session = gateway.open(model)

    def talk(n: int) -> None:
        messages = [user(f"thread {n}")]
        for turn in range(4):
            messages += [said(session.reply(messages)), user(f"turn {turn}")]

    with ThreadPoolExecutor(PROMPTS_HELD) as threads:
        list(threads.map(talk, range(PROMPTS_HELD)))
    calls = session.calls
    assert sorted(map(tuple, (path(calls, n) for n in range(len(calls))))) == sorted(
        (*read, *sampled) for read, sampled in model.sent
    )
    assert sum(call.drift == "root" for call in calls) == PROMPTS_HELD
    assert sum(call.drift == "clean" for call in calls) == 3 * PROMPTS_HELD


TEXTS = st.text(max_size=6)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_callers_do_ids_sent_are_ids_recorded(data: st.DataObject) -> None:
    """Random histories: extensions, retries, truncations, edits of any message, other tools, threads of thought that
    come back after others."""
    model = TokenFake(lambda ids: data.draw(TEXTS, "reply"), seed=data.draw(st.integers(0, 99)))
    session = Gateway().open(model)
    known: list[Conversation] = [[user(data.draw(TEXTS))]]
    tools: list[dict[str, Any]] = [{"type": "function", "function": {"name": "t", "parameters": {}}}]
    for _ in range(data.draw(st.integers(1, 12), "calls")):
        messages = list(data.draw(st.sampled_from(known), "from"))
        act = data.draw(st.sampled_from(["on", "on", "again", "cut", "edit", "system"]), "act")
        if act == "on":
            messages.append(user(data.draw(TEXTS)))
        elif act == "cut":
            del messages[data.draw(st.integers(1, len(messages))) :]
        elif act == "edit":
            at = data.draw(st.integers(0, len(messages) - 1))
            messages[at] = {**messages[at], "content": data.draw(TEXTS)}
        elif act == "system":
            messages.insert(0, {"role": "system", "content": data.draw(TEXTS)})
        reply = session.reply(messages, tools if data.draw(st.booleans()) else [])
        known.append([*messages, reply.message])
    calls = session.calls
    assert len(calls) == len(model.sent)
    for index, (read, sampled) in enumerate(model.sent):
        tokens = calls[index].tokens
        assert tokens is not None
        assert path(calls, index) == [*read, *sampled]
        assert tuple(tokens.sampled) == sampled
        assert len(tokens.logprobs) == len(tokens.texts) == sum(n for _, n in tokens.versions) == len(sampled)
        if calls[index].drift in ("clean", "realigned"):
            assert calls[index].parent is not None
            assert tokens.n_shared == len(path(calls, calls[index].parent))


def test_a_session_of_128_turns_renders_each_message_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = TokenFake(lambda ids: "ok")
    session = Gateway().open(model)
    rendered = 0
    extend = model.extend

    def counting(prompt: Any, sampled: Sequence[int], messages: Sequence[Message], first: int) -> Any:
        nonlocal rendered
        rendered += len(messages)
        return extend(prompt, sampled, messages, first)

    model.extend = counting  # type: ignore[method-assign]
    messages = [user("go")]
    for turn in range(128):
        messages += [said(session.reply(messages)), user(str(turn))]
    assert rendered == 127
    assert threading.active_count() < 10


class Slow:
    """An answer that comes when it is closed: what a policy gives while it samples a long tool call."""

    def __init__(self) -> None:
        self.waiting, self._closed = threading.Event(), threading.Event()

    def __iter__(self) -> Slow:
        return self

    def __next__(self) -> Delta:
        self.waiting.set()
        assert self._closed.wait(10)
        raise StopIteration

    def close(self) -> None:
        self._closed.set()


@pytest.mark.parametrize("by", ["seal", "drop"])
def test_an_answer_that_nobody_wants_is_ended_while_it_is_waited_for(by: str) -> None:
    slow, model = Slow(), TokenFake()
    model.sample = lambda *_: slow  # type: ignore[method-assign, assignment, return-value]
    session = Gateway().open(model)
    wire = Wire("chat", {}, (), lambda reply: {})
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(lambda: list(session.stream([user("one")], wire=wire)))
        assert slow.waiting.wait(10)
        session.seal() if by == "seal" else session.drop(wire)
        with pytest.raises(SessionSealed if by == "seal" else ModelError):
            asked.result(10)
    assert len(session.calls) == (0 if by == "seal" else 1)

"""Makes the record that checks look at of a trajectory, whatever scaffold left it."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from agentgym.protocols import Message
from agentgym.scoring.checklist.effects import Effect, effects
from agentgym.scoring.checklist.files import FileDelta, read_patch
from agentgym.scoring.checklist.names import action_of, command_in, new_text_in, path_in
from agentgym.scoring.checklist.record import Action, Event, Record, Reply, ToolUse
from agentgym.scoring.checklist.shell import commands
from agentgym.trajectory import StepRecord, Trajectory
from agentgym.views.conversation import Conversations, all_said, conversations, offered_tools
from agentgym.views.turns import recorded_turns, text_of

_REMINDER = re.compile(r"<system-reminder>(.*?)</system-reminder>", re.DOTALL)
_FENCED = re.compile(r"^(`{3,})(?:bash|sh)[ \t]*\n.*?^\1`*[ \t]*$", re.DOTALL | re.MULTILINE)
_WORKDIR = re.compile(r"(?:orking directory: |You are in `|pwd\n+)(/[^\s`]*)")
_HEAD_CHARS = 400
"""Of an instruction, by which it is known again: some scaffolds cut what is long."""


def record_of(
    trajectory: Trajectory,
    *,
    instructions: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
    workdir: str = "",
) -> Record:
    """The whole trajectory. `instructions`, `given` and `workdir` as in Checklist."""
    found = conversations(trajectory)
    messages = [message for branch in (*found.line, *found.others) for message in branch.messages]
    patch = trajectory.patch
    files = None if patch is None else read_patch(patch, given or {})
    replies = tuple(_replies(trajectory, found, instructions))
    uses = [(reply, use) for reply in replies for use in reply.uses]
    home = workdir or _workdir(messages, [path_in(use.arguments) for _, use in uses], files or ())
    events: list[Event] = []
    for reply, use in uses:
        for action, path, text, by_shell in _done(use):
            inside = _relative(path, home)
            events.append(Event(len(events), action, reply, use, inside, text, by_shell))
    asked = tuple(instructions) or (_first_asked(messages),)
    reminders = dict.fromkeys(
        text.strip()
        for message in messages
        if message["role"] == "user"
        for text in _REMINDER.findall(text_of(message))
    )
    return Record(replies, tuple(events), files, asked, tuple(reminders))


def _replies(trajectory: Trajectory, found: Conversations, instructions: Sequence[str]) -> Iterator[Reply]:
    turns = recorded_turns(trajectory, found.calls, found.line)
    numbers = {id(turn): number for number, turn in enumerate(trajectory.turns)}
    main = {call for branch in found.line for call in branch.replies}
    heads = [_squeezed(text)[:_HEAD_CHARS] for text in instructions]
    query = stretch = 0
    before: int | None = None
    for number, index in enumerate(sorted(turns)):
        turn = turns[index]
        if index in main:
            opened = _squeezed("\n".join(_newly_said(found, index)))
            while query + 1 < len(heads) and heads[query + 1] in opened:
                query, opened = query + 1, opened.partition(heads[query + 1])[2]
            stretch += before is not None and _compacted(found, before, index)
            before = index
        steps = turn.steps
        as_text = not any(step.id for step in steps)
        uses = tuple(_use(step) for step in steps if step.name or not isinstance(step.arguments, Mapping))
        yield Reply(
            number=number,
            call=index,
            turn=numbers.get(id(turn)),
            query=query,
            stretch=stretch,
            main=index in main and not any(step.name == "compact" for step in steps),  # a summary is for itself
            text=_text(turn.message, uses, as_text=as_text and bool(uses)),
            uses=tuple(use for use in uses if use.name not in ("compact", "")),
            offered=offered_tools(found.calls, index),
        )


def _newly_said(found: Conversations, index: int) -> Iterator[str]:
    """What stands between the last reply that was sent and the new one."""
    sent = [said.message for said in all_said(found.calls, index)][:-1]
    last = max((n for n, message in enumerate(sent) if message["role"] == "assistant"), default=-1)
    return (text_of(message) for message in sent[last + 1 :])


def _compacted(found: Conversations, before: int, index: int) -> bool:
    """Whether the call was sent fewer replies than there had been, its history rewritten."""
    if found.calls[index].drift not in ("forked", "root"):
        return False
    return _n_replies(found, index) <= _n_replies(found, before)


def _n_replies(found: Conversations, index: int) -> int:
    return sum(said.message["role"] == "assistant" for said in all_said(found.calls, index))


def _use(step: StepRecord) -> ToolUse:
    return ToolUse(step.name, action_of(step.name), step.arguments, step.id, step.observation)


def _text(message: Message, uses: Sequence[ToolUse], *, as_text: bool) -> str:
    text = text_of(message).rpartition("</think>")[2]
    if as_text:
        text = _FENCED.sub("", text)
    handed_in = [use.argument(key) for use in uses if use.action == "submit" for key in ("message", "result")]
    return "\n\n".join(filter(None, [text.strip(), *(said for said in handed_in if isinstance(said, str))]))


def _done(use: ToolUse) -> Iterator[tuple[Action, str, str, bool]]:
    """What a tool call did: itself first, then what its shell command does."""
    command = command_in(use.arguments) if use.action == "shell" else ""
    if use.action == "skill":
        name = use.argument("skill") or use.argument("name") or use.argument("command")
        yield "skill", "", str(name or ""), False
    else:
        yield use.action, path_in(use.arguments), command or new_text_in(use.arguments), False
    for effect in _effects(command) if command else ():
        yield effect.action, effect.path, effect.text or "", True


@lru_cache(maxsize=4096)
def _effects(command: str) -> tuple[Effect, ...]:
    return tuple(effect for one in commands(command) for effect in effects(one))


def _workdir(messages: Sequence[Message], paths: Sequence[str], files: Sequence[FileDelta]) -> str:
    """As a prompt names it; else where the files that were changed are said to lie."""
    for message in messages[:4]:
        if match := _WORKDIR.search(text_of(message)):
            return match[1].rstrip("/.,")
    ends = tuple(f"/{file.path}" for file in files)
    homes = Counter(path[: -len(end)] for path in paths for end in ends if path.startswith("/") and path.endswith(end))
    return homes.most_common(1)[0][0] if homes else ""


def _relative(path: str, home: str) -> str:
    if not path:
        return ""
    path = posixpath.normpath(path)
    if home and (path == home or path.startswith(home + "/")):
        return path[len(home) + 1 :] or "."
    return path


def _first_asked(messages: Sequence[Message]) -> str:
    texts = [_REMINDER.sub("", text_of(message)).strip() for message in messages if message["role"] == "user"]
    return next(filter(None, texts), "")


def _squeezed(text: str) -> str:
    return " ".join(text.split())

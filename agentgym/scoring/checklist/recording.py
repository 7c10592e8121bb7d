"""Makes the record that checks look at of a trajectory, whatever scaffold left it."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce

from agentgym.protocols import Message
from agentgym.scoring.checklist.effects import Effect, effects
from agentgym.scoring.checklist.files import FileDelta, read_patch
from agentgym.scoring.checklist.names import action_of, command_in, folder_in, new_text_in, path_in
from agentgym.scoring.checklist.record import Event, Record, Reply, ToolUse
from agentgym.scoring.checklist.shell import run
from agentgym.trajectory import StepRecord, Trajectory
from agentgym.views.conversation import Conversations, all_said, conversations, offered_tools
from agentgym.views.turns import recorded_turns, text_of

_REMINDER = re.compile(r"<system-reminder>(.*?)</system-reminder>", re.DOTALL)
_FENCED = re.compile(r"^(`{3,})(?:bash|sh)[ \t]*\n.*?^\1`*[ \t]*$", re.DOTALL | re.MULTILINE)
_WORKDIR = re.compile(r"(?:orking directory: |You are in `|pwd\n+)(/[^\s`]*)")
_COMPACT = "compact"
"""The step by which a scaffold says that a reply was a summary for the agent itself."""
_REFUSAL = re.compile(
    r"\s*(?:<tool_use_error>|error\b(?!: exit code)|bad arguments\b|there is no (?:tool|file)\b)", re.IGNORECASE
)
"""How scaffolds begin their answer to a call that they did not carry out."""
_FOLDER = re.compile(r"<path>.*</path>\n<type>directory</type>")
"""How a tool that reads files begins its answer where the file is a folder, whose list it gives (Kilo's)."""
_NEW_SHELLS = ("kilo", "droid")
"""Scaffolds that run each command in a shell of its own; where, the call may say."""
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
    folders = {True: "", False: ""}
    """Of the shells of the main conversation and of the others."""
    for reply, use in uses:
        if trajectory.scaffold in _NEW_SHELLS:
            folders[reply.main] = folder_in(use.arguments)
        done, folders[reply.main] = _done(use, folders[reply.main])
        for effect, by_shell in done:
            path, text = _relative(effect.path, home), effect.text or ""
            events.append(Event(len(events), effect.action, reply, use, path, text, by_shell))
    asked = tuple(instructions) or (_first_asked(messages),)
    return Record(replies, tuple(events), files, asked, tuple(_reminders(messages, (given or {}).values())))


def _replies(trajectory: Trajectory, found: Conversations, instructions: Sequence[str]) -> Iterator[Reply]:
    turns = recorded_turns(trajectory, found.calls, found.line)
    numbers = {id(turn): number for number, turn in enumerate(trajectory.turns)}
    main = {call for branch in found.line for call in branch.replies}
    asked = [_squeezed(text) for text in instructions]
    query, stretch = -1, 0
    before: int | None = None
    for number, index in enumerate(sorted(turns)):
        turn = turns[index]
        sums_up = any(step.name == _COMPACT for step in turn.steps)
        if index in main and not sums_up:
            opened = _squeezed("\n".join(_newly_said(found, index)))
            while query + 1 < len(asked) and (rest := _past(asked[query + 1], opened)) is not None:
                query, opened = query + 1, rest
            query = max(query, 0)  # the first is there, whatever the scaffold made of its text
            stretch += before is not None and _compacted(found, before, index)
            before = index
        uses = tuple(_use(step) for step in turn.steps if step.name not in ("", _COMPACT))
        yield Reply(
            number=number,
            call=index,
            turn=numbers.get(id(turn)),
            query=max(query, 0),
            stretch=stretch,
            main=index in main and not sums_up,
            text=_text(turn.message, uses),
            uses=uses,
            offered=offered_tools(found.calls, index),
        )


def _past(asked: str, said: str) -> str | None:
    """What follows an instruction in what is said; None where it is not there."""
    for known in (asked, asked[:_HEAD_CHARS]):
        if known and known in said:
            return said.partition(known)[2]
    return None


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
    refused = step.is_error or _REFUSAL.match(step.observation) is not None
    action = action_of(step.name)
    if action == "read" and _FOLDER.match(step.observation):
        action = "list"
    return ToolUse(step.name, action, step.arguments, step.id, step.observation, refused)


def _text(message: Message, uses: Sequence[ToolUse]) -> str:
    text = text_of(message).rpartition("</think>")[2]
    if uses and not any(use.id for use in uses):  # its commands are written as text
        text = _FENCED.sub("", text)
    handed_in = [use.argument(key) for use in uses if use.action == "submit" for key in ("message", "result")]
    return "\n\n".join(filter(None, [text.strip(), *(said for said in handed_in if isinstance(said, str))]))


def _done(use: ToolUse, folder: str) -> tuple[list[tuple[Effect, bool]], str]:
    """What a tool call did, itself first, then what its command does; and the folder that the shell is left in."""
    if use.action == "skill":
        name = use.argument("skill") or use.argument("name") or use.argument("command")
        return [(Effect("skill", text=str(name or "")), False)], folder
    command = command_in(use.arguments) if use.action == "shell" else ""
    itself = Effect(use.action, path_in(use.arguments), command or new_text_in(use.arguments))
    inner, folder = _effects(command, folder) if command else ((), folder)
    return [(itself, False), *((effect, True) for effect in inner)], folder


@lru_cache(maxsize=4096)
def _effects(command: str, folder: str) -> tuple[tuple[Effect, ...], str]:
    found, folder = run(command, folder)
    return tuple(effect for one in found for effect in effects(one)), folder


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


def _reminders(messages: Sequence[Message], given: Iterable[str]) -> dict[str, None]:
    """Each once, without the project's files, which some scaffolds show in them."""
    found = dict.fromkeys(
        text
        for message in messages
        if message["role"] == "user"
        for text in _REMINDER.findall(text_of(message))
    )  # fmt: skip
    files = [text.strip() for text in given if text.strip()]
    return dict.fromkeys(reduce(lambda text, file: text.replace(file, " "), files, text).strip() for text in found)


def _first_asked(messages: Sequence[Message]) -> str:
    texts = [_REMINDER.sub("", text_of(message)).strip() for message in messages if message["role"] == "user"]
    return next(filter(None, texts), "")


def _squeezed(text: str) -> str:
    return " ".join(text.split())

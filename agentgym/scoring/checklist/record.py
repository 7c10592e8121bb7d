"""A trajectory as checks look at it: replies, what was done in them under one name for all scaffolds, what was changed.

All branches are in it: sub-agents, titles, and what compaction took away. A part of a record (one of the user's turns,
what came after an event) is a record. Data alone; `recording.py` makes it of a trajectory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from agentgym.scoring.checklist.files import FileDelta
from agentgym.scoring.checklist.verdict import QUOTE_CHARS, Evidence

Action = Literal[
    "read", "edit", "write", "delete", "search", "list", "shell", "tests", "commit", "branch",
    "plan", "note", "skill", "agent", "ask", "web", "submit", "other",
]  # fmt: skip
"""What was done. edit: a part of a file, write: all of it. tests, commit, branch: of a shell command, too."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool call of a reply."""

    name: str
    """As the scaffold calls it; empty where the model wrote no readable call."""
    action: Action
    arguments: Mapping[str, Any] | str
    id: str
    observation: str
    """As the model read it."""
    refused: bool = False
    """The scaffold did not carry it out: the arguments were wrong, or its own rules forbade it."""

    def argument(self, name: str) -> Any:
        """None where it is not given."""
        return self.arguments.get(name) if isinstance(self.arguments, Mapping) else None


@dataclass(frozen=True, slots=True)
class Reply:
    """One model reply."""

    number: int
    """Its place among all replies."""
    call: int
    turn: int | None
    """Place in Trajectory.turns; None beside the main conversation."""
    query: int
    """The user's turn that it falls into."""
    stretch: int
    """How often the main conversation had been compacted before it."""
    main: bool
    """It is part of the conversation with the user."""
    text: str
    """What it says, without reasoning and without commands that are written as text."""
    uses: tuple[ToolUse, ...]
    offered: Sequence[Mapping[str, Any]]
    """Tools, in OpenAI's shape."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was done. A shell command is one, and so is each thing that it does to a file."""

    place: int
    """Among all events."""
    action: Action
    reply: Reply
    use: ToolUse
    path: str = ""
    """Relative to the work directory where it lies there."""
    text: str = ""
    """The command, the commit's message, the branch's name, the skill's; of an edit what it puts in."""
    by_shell: bool = False
    """Found in a shell command."""

    def at(self, quote: str = "") -> Evidence:
        return evidence(self.reply, self.use, file=self.path, quote=quote or self.text or self.path or self.use.name)


@dataclass(frozen=True, slots=True)
class Record:
    """A trajectory, or a part of one."""

    replies: tuple[Reply, ...]
    events: tuple[Event, ...]
    files: tuple[FileDelta, ...] | None
    """What is different at the end, of the whole trajectory whatever the part; None where that is not known."""
    asked: tuple[str, ...]
    """What the user says, one text for each of the user's turns."""
    reminders: tuple[str, ...] = ()
    """Texts that scaffolds put beside what the user says."""

    @property
    def queries(self) -> tuple[int, ...]:
        """The user's turns that it has replies of."""
        return tuple(dict.fromkeys(reply.query for reply in self.replies))

    @property
    def stretches(self) -> tuple[int, ...]:
        """Between compactions."""
        return tuple(dict.fromkeys(reply.stretch for reply in self.replies))

    @property
    def said(self) -> tuple[Reply, ...]:
        """Replies that tell the user something."""
        return tuple(reply for reply in self.replies if reply.main and reply.text)

    def of(self, *actions: Action) -> Iterator[Event]:
        """The events of these kinds."""
        return (event for event in self.events if event.action in actions)

    def uses(self) -> Iterator[tuple[Reply, ToolUse]]:
        return ((reply, use) for reply in self.replies for use in reply.uses)

    def part(self, keep: Callable[[Reply], bool]) -> Record:
        """What falls into some of the replies."""
        events = tuple(event for event in self.events if keep(event.reply))
        return replace(self, replies=tuple(filter(keep, self.replies)), events=events)

    def query(self, number: int) -> Record:
        """One of the user's turns."""
        return self.part(lambda reply: reply.query == number)

    def stretch(self, number: int) -> Record:
        """What was before, between or after compactions."""
        return self.part(lambda reply: reply.stretch == number)

    def after(self, event: Event) -> Record:
        """What came later than an event. What else its reply says was written before it was known to have happened."""
        later = tuple(reply for reply in self.replies if reply.number > event.reply.number)
        return replace(self, replies=later, events=tuple(e for e in self.events if e.place > event.place))

    def before(self, event: Event) -> Record:
        """What came earlier than an event, its own reply's text included."""
        earlier = tuple(reply for reply in self.replies if reply.number <= event.reply.number)
        return replace(self, replies=earlier, events=tuple(e for e in self.events if e.place < event.place))


def evidence(reply: Reply, use: ToolUse | None = None, *, file: str = "", quote: str = "") -> Evidence:
    """The place of a reply, or of one of its tool calls."""
    return Evidence(
        query=reply.query,
        turn=reply.turn,
        call=reply.call,
        tool_call=use.id if use else "",
        file=file,
        quote=shortened(quote),
    )


def shortened(quote: str) -> str:
    return quote if len(quote) <= QUOTE_CHARS else quote[: QUOTE_CHARS - 1] + "…"


def places(events: Iterable[Event]) -> list[Evidence]:
    return [event.at() for event in events]

"""A session's calls as the tree they are: conversations that go on, and where others fork off them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agentgym.call import Call, Drift
from agentgym.viewer.message import Item

TITLE_CHARS = 100


@dataclass(slots=True)
class Branch:
    """Calls that go on from one another."""

    calls: list[int]
    """Their places, the first forks off."""
    parent: int | None
    """The call that it forks off."""
    drift: Drift
    n_kept: int
    depth: int
    title: str
    """What was said to begin it."""
    n_sampled: int = 0
    n_failed: int = 0
    children: list[Branch] = field(default_factory=list)

    @property
    def last(self) -> int:
        return self.calls[-1]


def branches(calls: Sequence[Call]) -> list[Branch]:
    """The tree from its roots down: each branch is followed by those that fork off it."""
    roots: list[Branch] = []
    home: list[Branch] = []
    for n, call in enumerate(calls):
        parent = home[call.parent] if call.parent is not None and call.parent < n else None
        if parent is not None and call.drift in ("clean", "realigned") and parent.last == call.parent:
            branch = parent
            branch.calls.append(n)
        else:
            depth = parent.depth + 1 if parent else 0
            branch = Branch([n], call.parent if parent else None, call.drift, call.n_kept, depth, _title(call, n))
            (parent.children if parent else roots).append(branch)
        branch.n_sampled += call.usage.completion_tokens
        branch.n_failed += call.reply is None
        home.append(branch)
    ordered, waiting = [], roots[::-1]
    while waiting:
        ordered.append(waiting.pop())
        waiting += reversed(ordered[-1].children)
    return ordered


def main_call(calls: Sequence[Call]) -> int:
    """The call that the main conversation has come to: the newest of the tree that has most calls."""
    roots = [n for n, _ in enumerate(calls)]
    for n, call in enumerate(calls):
        if call.parent is not None and call.parent < n:
            roots[n] = roots[call.parent]
    largest, _ = Counter(roots).most_common(1)[0]
    return max(n for n, root in enumerate(roots) if root == largest)


def joined(sessions: Iterable[Sequence[Call]]) -> list[Call]:
    """The calls of several sessions as if they were one's."""
    calls: list[Call] = []
    for own in sessions:
        start = len(calls)
        calls += (
            call if call.parent is None else call.model_copy(update={"parent": call.parent + start}) for call in own
        )
    return calls


def conversation(calls: Sequence[Call], last: int) -> list[Item]:
    """What was said up to and with the reply to call `last`, oldest first."""
    path, n = [], last
    while True:
        path.append(n)
        parent = calls[n].parent
        if parent is None or parent >= n:
            break
        n = parent
    said: list[Item] = []
    for n in reversed(path):
        call = calls[n]
        said = said[: call.n_kept]
        said += [Item(message, f"/calls/{n}/messages/{place}") for place, message in enumerate(call.messages)]
        if call.reply is not None:
            said.append(Item(call.reply, f"/calls/{n}/reply", call=n))
    return said


def _title(call: Call, n: int) -> str:
    """The first line of the last thing that was said, which for a sub-agent is its errand."""
    items = [Item(message, "") for message in call.messages]
    text = next((item.text for item in reversed(items) if item.role == "user" and item.text.strip()), "")
    return text.strip().split("\n", 1)[0][:TITLE_CHARS]

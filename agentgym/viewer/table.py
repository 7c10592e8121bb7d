"""The episodes of a run as a table: which of them, in what order, one page at a time. Told by a page's query."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from agentgym.index import Entry

PAGE = 100
"""Rows on one page."""

Row = tuple[int, Entry]
"""An episode and its place in the file, from 0."""

COLUMNS: Mapping[str, Callable[[Row], Any]] = {
    "number": lambda row: row[0],
    "task": lambda row: row[1].task,
    "scaffold": lambda row: row[1].scaffold,
    "model": lambda row: row[1].model,
    "attempt": lambda row: row[1].attempt,
    "reward": lambda row: row[1].reward,
    "ended": lambda row: ending(row[1]),
    "turns": lambda row: row[1].n_turns,
    "tokens": lambda row: row[1].usage.completion_tokens,
    "duration": lambda row: row[1].duration_s,
    "owner": lambda row: row[1].owner,
    "started": lambda row: row[1].started_at,
}
"""What rows can be sorted by."""

OUTCOMES: Mapping[str, Callable[[float | None], bool]] = {
    "solved": lambda reward: reward is not None and reward >= 1,
    "partly": lambda reward: reward is not None and 0 < reward < 1,
    "failed": lambda reward: reward is not None and reward <= 0,
    "unknown": lambda reward: reward is None,
}


def ending(entry: Entry) -> str:
    """The stop reason, and what stands for it where there is none."""
    return entry.stop_reason.value if entry.stop_reason else "broke off"


@dataclass(frozen=True, slots=True)
class Query:
    """What a page asks for. Everything is text from outside: what has no meaning asks for nothing."""

    sort: str = "number"
    descending: bool = False
    task: str = ""
    """A part of the task's name, in whatever case."""
    scaffold: str = ""
    model: str = ""
    outcome: str = ""
    ended: str = ""
    page: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Query:
        sort, page = given.get("sort", ""), given.get("page", "")
        return cls(
            sort=sort if sort in COLUMNS else "number",
            descending=given.get("order") == "down",
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
            **{name: given.get(name, "") for name in ("task", "scaffold", "model", "outcome", "ended")},
        )

    def text(self, **changed: Any) -> str:
        """As the query of an address, with its question mark; empty where nothing is asked for."""
        wanted = replace(self, **changed)
        fields = {name: getattr(wanted, name) for name in ("task", "scaffold", "model", "outcome", "ended")}
        if (wanted.sort, wanted.descending) != ("number", False):
            fields |= {"sort": wanted.sort, "order": "down" if wanted.descending else "up"}
        if wanted.page > 1:
            fields["page"] = str(wanted.page)
        pairs = {name: value for name, value in fields.items() if value}
        return f"?{urlencode(pairs, errors='replace')}" if pairs else ""

    def by(self, column: str) -> str:
        """The same, sorted by `column`; by that already: the other way round."""
        return self.text(sort=column, descending=self.sort == column and not self.descending, page=1)

    @property
    def filters(self) -> bool:
        return any((self.task, self.scaffold, self.model, self.outcome, self.ended))


def select(entries: Sequence[Entry], query: Query) -> list[Row]:
    """The rows that the query wants, in its order; what is unknown comes last either way."""
    task, known = query.task.casefold(), OUTCOMES.get(query.outcome)
    rows = [
        (number, entry)
        for number, entry in enumerate(entries)
        if task in entry.task.casefold()
        and query.scaffold in ("", entry.scaffold)
        and query.model in ("", entry.model)
        and query.ended in ("", ending(entry))
        and (known is None or known(entry.reward))
    ]
    column = COLUMNS[query.sort]
    sortable = [row for row in rows if column(row) is not None]
    sortable.sort(key=column, reverse=query.descending)
    return sortable + [row for row in rows if column(row) is None]


@dataclass(frozen=True, slots=True)
class Group:
    """The episodes of one scaffold with one model."""

    scaffold: str
    model: str
    n: int
    n_solved: int
    n_unknown: int
    """Without a reward; they count in no mean."""
    reward_mean: float | None
    turns_mean: float
    tokens_mean: float
    seconds_median: float


def groups(rows: Sequence[Row]) -> list[Group]:
    agents: dict[tuple[str, str], list[Entry]] = {}
    for _, entry in rows:
        agents.setdefault((entry.scaffold, entry.model), []).append(entry)
    return [_group(*agent, entries) for agent, entries in sorted(agents.items())]


def _group(scaffold: str, model: str, entries: list[Entry]) -> Group:
    return Group(
        scaffold=scaffold,
        model=model,
        n=len(entries),
        n_solved=sum(OUTCOMES["solved"](entry.reward) for entry in entries),
        n_unknown=sum(entry.reward is None for entry in entries),
        reward_mean=mean_reward(entries),
        turns_mean=statistics.fmean(entry.n_turns for entry in entries),
        tokens_mean=statistics.fmean(entry.usage.completion_tokens for entry in entries),
        seconds_median=statistics.median(entry.duration_s for entry in entries),
    )


def mean_reward(entries: Sequence[Entry]) -> float | None:
    rewards = [entry.reward for entry in entries if entry.reward is not None]
    return statistics.fmean(rewards) if rewards else None


def choices(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """What can be filtered by, most frequent first."""
    return {
        "scaffold": _frequent(entry.scaffold for entry in entries),
        "model": _frequent(entry.model for entry in entries),
        "ended": _frequent(ending(entry) for entry in entries),
        "outcome": list(OUTCOMES),
    }


def _frequent(values: Any) -> list[str]:
    return [value for value, _ in Counter(values).most_common(50)]

"""Sorting, filtering and paging by what stands in an address."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from agentgym.index import Entry, TrajectoryIndex
from agentgym.viewer.table import COLUMNS, Query, choices, groups, mean_reward, select
from tests.viewer.episodes import many


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    index = TrajectoryIndex(many(tmp_path_factory.mktemp("run") / "a.jsonl", 300))
    index.refresh()
    return index.entries


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("descending", [False, True])
def test_every_column_sorts_and_what_is_unknown_comes_last(entries: list[Entry], column: str, descending: bool) -> None:
    rows = select(entries, Query(sort=column, descending=descending))
    values = [COLUMNS[column](row) for row in rows]
    known = [value for value in values if value is not None]
    assert sorted(number for number, _ in rows) == list(range(300))
    assert values == sorted(known, reverse=descending) + [None] * (300 - len(known))


def test_filters_hold_together(entries: list[Entry]) -> None:
    rows = select(entries, Query(task="TASK-01", scaffold="bash", outcome="solved"))
    assert rows
    assert all("task-01" in e.task and e.scaffold == "bash" and e.reward == 1.0 for _, e in rows)


@pytest.mark.parametrize(("outcome", "fits"), [("partly", {0.5}), ("failed", {0.0}), ("unknown", {None}), ("bad", {0.0, 0.5, 1.0, None})])  # fmt: skip
def test_outcomes(entries: list[Entry], outcome: str, fits: set[float | None]) -> None:
    assert {entry.reward for _, entry in select(entries, Query(outcome=outcome))} == fits


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"sort": "__class__", "page": "-1"},
        {"page": "9" * 5000},
        {"page": "²"},
        {"sort": "<script>", "order": "sideways"},
    ],
)
def test_what_has_no_meaning_asks_for_nothing(given: dict[str, str]) -> None:
    assert Query.read(given) == Query()


def test_an_address_comes_back() -> None:
    query = Query(sort="reward", descending=True, task="a&b=c ü", model="m", page=3)
    assert Query.read(dict(parse_qsl(query.text().removeprefix("?")))) == query
    assert Query().text() == ""
    assert Query(task="\ud800").text()  # a name that no encoder takes has an address all the same


def test_a_column_once_more_is_the_other_way_round() -> None:
    assert Query(page=4).by("reward") == "?sort=reward&order=up"
    assert Query(sort="reward").by("reward") == "?sort=reward&order=down"
    assert Query(sort="reward", descending=True).by("reward") == "?sort=reward&order=up"


def test_groups_are_agents(entries: list[Entry]) -> None:
    found = groups(select(entries, Query()))
    assert sum(group.n for group in found) == 300
    assert len(found) == 6
    bash = [entry for entry in entries if (entry.scaffold, entry.model) == ("bash", "endpoint:large")]
    assert found[0].reward_mean == mean_reward(bash)
    assert found[0].n_unknown == sum(entry.reward is None for entry in bash)
    assert mean_reward([]) is None


def test_choices_are_what_occurs(entries: list[Entry]) -> None:
    assert set(choices(entries)["scaffold"]) == {"bash", "tools", "plan"}

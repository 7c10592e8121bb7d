"""tasks/octo is what the grammar draws, byte for byte, and as large as it is said to be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agentgym.scoring.checklist import read_checklist
from agentgym.synthesis.octo.draft import Draft
from agentgym.synthesis.octo.environment import environments
from agentgym.synthesis.octo.folder import contents
from agentgym.synthesis.octo.grammar import drafts
from agentgym.synthesis.octo.suite import differences, write_suite
from agentgym.task import load_task

OCTO = Path(__file__).parents[3] / "tasks" / "octo"


@pytest.fixture(scope="module")
def suite() -> list[Draft]:
    return drafts()


def test_folders_are_what_is_drawn(suite: list[Draft]) -> None:
    assert list(differences(suite, OCTO)) == []


def test_differences_are_found(suite: list[Draft], tmp_path: Path) -> None:
    few = suite[:2]
    write_suite(few, tmp_path)
    assert list(differences(few, tmp_path)) == []
    (tmp_path / few[0].name / "checklist.toml").write_text("")
    (tmp_path / few[0].name / "stray.txt").write_text("")
    (tmp_path / few[1].name / "task.toml").unlink()
    found = [f"{few[0].name}/checklist.toml", f"{few[0].name}/stray.txt", f"{few[1].name}/task.toml"]
    assert sorted(differences(few, tmp_path)) == sorted(found)


def test_written_tasks_are_read(suite: list[Draft]) -> None:
    for draft in suite[::50]:
        task = load_task(OCTO / draft.name)
        assert task.unknown_keys == ()
        assert [item.data() for item in read_checklist(task).items] == [item.data() for item in draft.items()]


def test_another_number_draws_other_tasks(suite: list[Draft]) -> None:
    assert [draft.items() for draft in drafts(21)[:5]] != [draft.items() for draft in suite[:5]]


def test_size(suite: list[Draft]) -> None:
    items = [item for draft in suite for item in draft.items()]
    by_program = sum(item.check is not None for item in items)
    conflicts = Counter(draft.conflict.kind for draft in suite if draft.conflict)
    assert len({draft.environment.package for draft in suite}) >= 36
    assert len(suite) >= 240
    assert len(items) >= 7500
    assert by_program / len(items) >= 0.8
    assert conflicts["user_vs_system"] >= 30
    assert conflicts["user_vs_project"] >= 15
    assert conflicts["system_vs_project"] >= 15
    assert sum(len(draft.turns) > 1 for draft in suite) >= 60
    assert sum(any(item.id.endswith("after_compaction") for item in draft.items()) for draft in suite) >= 30
    assert min(Counter(draft.category for draft in suite).values()) >= 20
    assert len({draft.category for draft in suite}) == 7


def test_no_two_tasks_are_alike(suite: list[Draft]) -> None:
    texts = Counter(
        tuple(sorted((name, text) for name, text in contents(draft).items() if "Dockerfile" not in name))
        for draft in suite
    )
    assert max(texts.values()) == 1
    assert len({draft.name for draft in suite}) == len(suite)


def test_splits_share_no_environment(suite: list[Draft]) -> None:
    by_split = {split: {e.sha256 for e in environments() if e.split == split} for split in ("train", "heldout")}
    assert len(by_split["heldout"]) >= 6
    assert by_split["train"].isdisjoint(by_split["heldout"])
    assert {load_task(OCTO / draft.name).gym.split for draft in suite[:40]} == {"train", "heldout"}


def test_tasks_of_an_environment_share_an_image(suite: list[Draft]) -> None:
    files = {(draft.environment.package, contents(draft)["environment/Dockerfile"]) for draft in suite}
    assert len(files) == len(environments())

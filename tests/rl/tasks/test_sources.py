"""Tasks follow from a candidate and a seed; what was made for them goes when they are done."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.errors import TaskError, UsageError
from agentgym.synthesis.repairs.family import Split, templates
from rl.tasks.sources import FolderSource, RepairsSource, TaskPool, open_source


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two tasks."""
    source = RepairsSource(Split.TRAIN)
    for candidate in source.candidates[:2]:
        source.task(candidate.name, 1, tmp_path / "tasks")
    return tmp_path / "tasks"


def test_repairs(tmp_path: Path) -> None:
    source = open_source("repairs:unseen")
    assert [candidate.name for candidate in source.candidates] == [
        template.name for template in templates(Split.UNSEEN)
    ]
    name = source.candidates[0].name
    one, same, other = (source.task(name, seed, tmp_path / str(n)) for n, seed in enumerate((4, 4, 5)))
    assert one.checksum == same.checksum != other.checksum
    source.discard(one)
    assert not one.path.exists()
    assert same.path.exists()


def test_examples_are_the_same_each_time_and_spread(tmp_path: Path) -> None:
    source = RepairsSource(Split.HELDOUT)
    once, again = (source.examples(8, 3, tmp_path / name) for name in "ab")
    assert [task.checksum for task in once] == [task.checksum for task in again]
    assert len({task.metadata["template"] for task in once}) == 8


def test_folders(folders: Path, tmp_path: Path) -> None:
    source = FolderSource(str(folders))
    names = [candidate.name for candidate in source.candidates]
    assert source.task(names[1], 7, tmp_path).name == names[1]
    assert [candidate.level for candidate in source.candidates] == [0, 0]
    assert len(source.examples(5, 0, tmp_path)) == 2
    source.discard(source.task(names[1], 7, tmp_path))
    assert (folders / Path(source.task(names[1], 7, tmp_path).path).name).is_dir()


def test_pool(folders: Path, tmp_path: Path) -> None:
    pool = TaskPool([FolderSource(str(folders)), RepairsSource(Split.TRAIN)], tmp_path / "scratch")
    assert {candidate.source for candidate in pool.candidates} == {str(folders), "repairs:train"}
    made = pool.task("add_to_each", 1)
    assert made.path.is_relative_to(tmp_path / "scratch")
    pool.discard("add_to_each", made)
    assert not made.path.exists()
    with pytest.raises(TaskError, match="found a task in two of"):
        TaskPool([FolderSource(str(folders)), FolderSource(str(folders))], tmp_path)


def test_unknown_split() -> None:
    with pytest.raises(UsageError, match=r'found split "heldou", wanted one of .* \(nearest known split: "heldout"\)'):
        open_source("repairs:heldou")

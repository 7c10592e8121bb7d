"""What a killed run goes on from: the states of a run's folder, each of them of one moment.

A state is taken after a train step was published and before the next batch is fetched. It has the weights, the
optimizer and the random generators (`state.py`), and of the loop: the queue, the groups that are finished and wait, the
curriculum and the window. Groups that were running begin again under the same number, on the same task; finished ones
are not run again; so nothing is lost and nothing is trained on twice. What a run did after its last state is done anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from agentgym.lines import LineFile
from rl.errors import StateError
from rl.frozen import Frozen
from rl.learner.trainer import Trainer
from rl.rollout.group import Group
from rl.scheduling.scheduler import Fetched
from rl.scheduling.state import SchedulerState
from rl.state import restore_state, save_state
from rl.tasks.curriculum import CurriculumState
from rl.window import WindowState

_KEPT = 2


class LoopState(Frozen):
    """All of a loop that is not the trainer's."""

    step: int
    """Batches trained on, which is the version of the weights."""
    scheduler: SchedulerState = SchedulerState()
    curriculum: CurriculumState | None = None
    candidates: dict[int, str] = Field(default_factory=dict)
    """What each unfinished slot works on."""
    groups: tuple[Group, ...] = ()
    """Finished, not trained on."""
    window: WindowState | None = None
    before: dict[str, float] = Field(default_factory=dict)
    """Success by split before the first step."""
    wall_s: float = 0.0
    """Seconds that the run took so far, those that were lost left out."""


class States:
    """RUN/states/: one folder a state, named by its step."""

    def __init__(self, folder: Path, *, model_type: str, tokenizer_from: Path | None) -> None:
        self._folder, self._model_type, self._tokenizer_from = folder, model_type, tokenizer_from

    @property
    def any(self) -> bool:
        return bool(self._all())

    def save(self, trainer: Trainer, state: LoopState) -> None:
        """Raises StateError: the disk is full, say. What was there is kept then."""
        folder = self._folder / f"{state.step:06}"
        if folder.exists():  # a run that was stopped where it had just been saved
            return
        more = state.model_dump(mode="json")
        save_state(trainer, folder, model_type=self._model_type, tokenizer_from=self._tokenizer_from, more=more)
        for old in self._all()[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def restore(self, trainer: Trainer, told: Callable[[str], None]) -> LoopState | None:
        """The newest whole one; damaged ones are told of and set aside. None: there is none.

        StateError: there are some, and none fits.
        """
        for partial in self._folder.glob(".[0-9]*"):  # a writer was killed in it
            shutil.rmtree(partial, ignore_errors=True)
        damaged: list[Path] = []
        problem = ""
        for folder in reversed(self._all()):
            try:
                state = LoopState.model_validate(restore_state(trainer, folder))
            except (StateError, ValidationError) as error:
                damaged.append(folder)
                problem = str(error).splitlines()[0]
                told(problem)
                continue
            for each in damaged:
                each.rename(each.with_name(f"damaged-{each.name}"))
            return state
        if damaged:
            raise StateError(problem)
        return None

    def _all(self) -> list[Path]:
        """Oldest first."""
        return sorted(path for path in self._folder.glob("[0-9]*") if path.is_dir())


class TrainedGroups:
    """RUN/groups.jsonl: what each step trained on. A step that was done anew has a second line, which is the one that
    counts."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)

    def append(self, step: int, batch: Sequence[tuple[Fetched, Group]]) -> None:
        """Raises OSError."""
        groups = [
            {
                "slot": group.slot,
                "task": group.task,
                "version": fetched.version,
                "rewards": [member and member.reward for member in group.members],
            }
            for fetched, group in batch
        ]
        self._file.append(json.dumps({"step": step, "groups": groups}).encode() + b"\n")

    def slots(self) -> dict[int, list[int]]:
        """Step to the places in the queue of its groups."""
        steps: dict[int, list[int]] = {}
        for line in self._file.read():
            try:
                told = json.loads(line.data)
            except ValueError:  # its writer was killed in it
                continue
            steps = {step: slots for step, slots in steps.items() if step < told["step"]}
            steps[told["step"]] = [group["slot"] for group in told["groups"]]
        return steps

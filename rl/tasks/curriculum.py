"""Which task a group works on: mixed by source and stage, no easier and no harder than what can be learnt from.

A choice follows from the seed, the place in the queue, the train step and what was recorded: the same again after a
resume. It knows tasks by name, and nothing of how they are made or run.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from rl.frozen import Frozen

_MOST = 0.25
"""p (1 - p) at p = 1/2."""


class Stage(Frozen):
    """How sources are mixed from some train step on."""

    from_step: int = Field(default=0, ge=0)
    """First train step of the stage."""
    weights: dict[str, float]
    """Source to its part of the groups, in any unit; sources that are not named give none."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if any(weight < 0 for weight in self.weights.values()) or not sum(self.weights.values()) > 0:
            raise ValueError(f"weights: found {self.weights}, wanted none under 0 and one over 0")
        return self


class CurriculumConfig(Frozen):
    """Which task a group works on."""

    stages: tuple[Stage, ...] = ()
    """By rising from_step, the first from 0. None: every source the same."""
    pass_rate_over: float = Field(default=0.0, ge=0, lt=1)
    """Tasks whose pass rate is not over this are left out (MiniMax-M1, arXiv 2506.13585: strictly in (0, 0.9))."""
    pass_rate_under: float = Field(default=0.9, gt=0, le=1)
    """Tasks whose pass rate is not under this are left out (ScaleRL's no-positive-resampling, arXiv 2510.13786)."""
    by_learnability: bool = False
    """Choose tasks not evenly but by how much the rollouts of their groups have differed: p (1 - p), p being a group's
    pass rate (Foster et al., arXiv 2502.12272)."""
    attempts_min: int = Field(default=8, gt=0)
    """Rollouts of a task before its pass rate is believed."""
    memory: float = Field(default=0.5, ge=0, lt=1)
    """Weight of all earlier rollouts of a task beside those of its newest group: skill changes."""
    retry_share: float = Field(default=0.05, ge=0, le=1)
    """Part of the choices that ignore the pass rates, so that what was left out once may come back."""
    first_level: int = 0
    """Tasks over this level wait."""
    raise_at: float = Field(default=0.6, gt=0, le=1)
    """The level rises by one where the pass rate on its tasks reaches this."""
    raise_groups: int = Field(default=16, gt=0)
    """Groups on the level's tasks over which that pass rate is taken."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        steps = [stage.from_step for stage in self.stages]
        if steps and (steps[0] != 0 or steps != sorted(set(steps))):
            raise ValueError(f"stages: found from_step {steps}, wanted them to rise from 0")
        if self.pass_rate_over >= self.pass_rate_under:
            raise ValueError(f"pass_rate_over {self.pass_rate_over:g} is not under pass_rate_under")
        return self


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task, or a family of them whose members are equally hard."""

    name: str
    source: str = ""
    """What the stages mix: a suite, a kind of reward, a scaffold's domain."""
    level: int = 0
    """Difficulty, in steps of 1."""


class Tally(Frozen):
    """Rollouts of one task, older ones weighing less."""

    passes: float = 0.0
    attempts: float = 0.0
    spread: float = 0.0
    """Attempts times p (1 - p), p being the pass rate of each group."""
    seen: int = 0
    """Rollouts without the weights."""


class CurriculumState(Frozen):
    """What was learnt about the tasks: JSON and back."""

    tallies: dict[str, Tally] = Field(default_factory=dict)
    level: int
    recent: tuple[float, ...] = ()
    """Pass rates of the last groups on tasks of the level."""


class Curriculum:
    def __init__(
        self,
        candidates: Sequence[Candidate],
        config: CurriculumConfig,
        *,
        seed: int,
        state: CurriculumState | None = None,
    ) -> None:
        """ValueError: no candidates, or a stage that names a source which none has."""
        sources = {candidate.source for candidate in candidates}
        unknown = {name for stage in config.stages for name in stage.weights} - sources
        if not candidates or unknown:
            found = f"stages of unknown sources {sorted(unknown)}" if unknown else "no tasks"
            raise ValueError(f"found {found}, wanted tasks, and stages of their sources: {sorted(sources)}")
        self.config, self.seed = config, seed
        self._by_name = {candidate.name: candidate for candidate in candidates}
        self._state = state or CurriculumState(level=config.first_level)

    @property
    def state(self) -> CurriculumState:
        return self._state

    def choose(self, slot: int, step: int) -> Candidate:
        """The task of the group in place `slot`, dispatched at train step `step`."""
        rng = random.Random(f"curriculum {self.seed} {slot}")
        open_ = [c for c in self._by_name.values() if c.level <= self._state.level and self._weight(c.source, step)]
        # an early level may have no task of any source in this stage
        open_ = open_ or [c for c in self._by_name.values() if self._weight(c.source, step)]
        retry = rng.random() < self.config.retry_share
        useful = open_ if retry else [candidate for candidate in open_ if self._useful(candidate)] or open_
        by_source = defaultdict(list)
        for candidate in useful:
            by_source[candidate.source].append(candidate)
        weights = [self._weight(source, step) for source in by_source]
        among = by_source[rng.choices(list(by_source), weights)[0]]
        if retry or not self.config.by_learnability:
            return rng.choice(among)
        return rng.choices(among, [self._learnability(candidate.name) for candidate in among])[0]

    def record(self, name: str, passes: int, attempts: int) -> None:
        """A group on this task ended: so many of its graded rollouts passed. Nothing changes where none was graded."""
        if not attempts:
            return
        old, memory = self._state.tallies.get(name, Tally()), self.config.memory
        tally = Tally(
            passes=memory * old.passes + passes,
            attempts=memory * old.attempts + attempts,
            spread=memory * old.spread + passes * (attempts - passes) / attempts,
            seen=old.seen + attempts,
        )
        level, recent = self._state.level, self._state.recent
        if self._by_name[name].level == level:
            recent = (*recent, passes / attempts)[-self.config.raise_groups :]
            if len(recent) == self.config.raise_groups and sum(recent) / len(recent) >= self.config.raise_at:
                level, recent = self._next_level(), ()
        self._state = CurriculumState(tallies={**self._state.tallies, name: tally}, level=level, recent=recent)

    def pass_rate(self, name: str) -> float | None:
        """None: too few rollouts."""
        tally = self._state.tallies.get(name)
        if tally is None or tally.seen < self.config.attempts_min:
            return None
        return tally.passes / tally.attempts

    def _useful(self, candidate: Candidate) -> bool:
        rate = self.pass_rate(candidate.name)
        return rate is None or self.config.pass_rate_over < rate < self.config.pass_rate_under

    def _learnability(self, name: str) -> float:
        """Never 0, and most for what is not known yet."""
        tally = self._state.tallies.get(name)
        if tally is None:
            return _MOST
        return (tally.spread + _MOST) / (tally.attempts + 1)

    def _weight(self, source: str, step: int) -> float:
        stages = [stage for stage in self.config.stages if stage.from_step <= step]
        return stages[-1].weights.get(source, 0.0) if stages else 1.0

    def _next_level(self) -> int:
        """The next one that has tasks; the same where this is the highest."""
        return min((c.level for c in self._by_name.values() if c.level > self._state.level), default=self._state.level)

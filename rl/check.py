"""Everything that a config names, looked up before anything starts: a line for each thing that would go wrong later.

Tables that could not be read are left out, so that a typo in one does not hide a missing task in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentgym import entry
from agentgym.backends import make_backend
from agentgym.errors import AgentGymError
from rl.config import (
    ModelConfig,
    RolloutsConfig,
    RunConfig,
    TasksConfig,
    TrainConfig,
    WarmstartConfig,
    parse,
    read_tables,
)
from rl.errors import ConfigProblems
from rl.learner.trainer import TrainerConfig
from rl.objective.reward import RewardConfig
from rl.policies import start
from rl.scheduling.scheduler import SchedulerConfig
from rl.tasks.curriculum import Candidate, Curriculum, CurriculumConfig
from rl.tasks.sources import REPAIRS, open_source
from rl.warmstart import taught


def read_config(
    path: Path, *, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[TrainConfig, dict[str, Any]]:
    """The config of a file, sound in all that it names, and the same as plain data.

    overrides: values of tables that replace the file's. Raises ConfigProblems, with every problem there is.
    """
    data = read_tables(path)
    for table, values in (overrides or {}).items():
        data[table] = {**data.get(table, {}), **values}
    tables, lines = parse(data)
    lines += problems(tables)
    if lines:
        raise ConfigProblems([f"{path}: {line}" for line in lines])
    return TrainConfig(**tables), data


def problems(tables: Mapping[str, Any]) -> list[str]:
    """Of tables that are sound by themselves; each check has those that are its arguments."""
    lines: list[str] = []
    for check in _CHECKS:
        names = [name for name in check.__annotations__ if name != "return"]
        if all(name in tables for name in names):
            lines += check(*(tables[name] for name in names))
    return lines


def _agent(rollouts: RolloutsConfig) -> Iterator[str]:
    try:
        scaffold = entry.make_scaffold(rollouts.scaffold)
    except AgentGymError as error:
        yield f"rollouts.scaffold: {error}"
        return
    if not scaffold.needs_model:
        yield f"rollouts.scaffold: {scaffold.name} asks no model, so it leaves no token ids to train on; choose another"


def _sandbox(rollouts: RolloutsConfig) -> Iterator[str]:
    try:
        checks = make_backend(rollouts.sandbox).doctor()
    except AgentGymError as error:
        yield f"rollouts.sandbox: {error}"
        return
    for check in checks:
        if not check.ok:
            yield f"rollouts.sandbox: {rollouts.sandbox} does not work here: {check.name}: {check.detail}"


def _tasks(tasks: TasksConfig, curriculum: CurriculumConfig) -> Iterator[str]:
    candidates: dict[str, list[Candidate]] = {"train": [], "heldout": [], "unseen": []}
    for field, found in candidates.items():
        for spec in getattr(tasks, field):
            try:
                found += open_source(spec).candidates
            except AgentGymError as error:
                yield from (f"tasks.{field}: {line}" for line in str(error).splitlines())
    for field in ("heldout", "unseen"):
        twice = _specs(candidates["train"]) & _specs(candidates[field])
        yield from (
            f"tasks.{field}: {name} is trained on as well; take it out of one of them" for name in sorted(twice)
        )
    if candidates["train"]:
        try:
            Curriculum(candidates["train"], curriculum, seed=0)
        except ValueError as error:
            yield f"curriculum: {error}"


def _specs(candidates: Sequence[Candidate]) -> set[str]:
    """What two splits may not share: a folder, or a split of a family, whose candidates have tasks in each split."""
    return {c.source if c.source.startswith(f"{REPAIRS}:") else c.name for c in candidates}


def _model(model: ModelConfig, trainer: TrainerConfig) -> Iterator[str]:
    kind, colon, _ = model.name.partition(":")
    if colon and kind in entry.names(entry.MODELS):
        yield f"model.name: {model.name} shows no token ids, and is not ours to train; name a policy's folder"
        return
    try:
        policy = start(model, seed=0)
        policy.renderer  # noqa: B018  # raises where no chat format fits
    except ValueError as error:
        yield f"model.name: {error}"
        return
    context = policy.decoder.config.max_context
    window = min(model.window_tokens or context, model.cache_tokens)
    if window > context:
        yield f"model.window_tokens: {window} is more than the {context} tokens that the model was made for"
    elif window > trainer.microbatch_tokens + 1:
        yield (
            f"trainer.microbatch_tokens: {trainer.microbatch_tokens} is less than a sample may have, which is "
            f"{window} (model.window_tokens)"
        )


def _batch(run: RunConfig, scheduler: SchedulerConfig) -> Iterator[str]:
    if run.updates_per_batch > scheduler.batch_groups:
        yield (
            f"run.updates_per_batch: {run.updates_per_batch} is more than the {scheduler.batch_groups} groups of a "
            "batch (scheduler.batch_groups): wanted one group an update at least"
        )


def _decay(run: RunConfig, trainer: TrainerConfig) -> Iterator[str]:
    decay, updates = trainer.optimizer.decay_steps, run.steps * run.updates_per_batch
    if decay is not None and decay < updates:
        yield (
            f"trainer.optimizer.decay_steps: after {decay} updates the other {updates - decay} of the run change "
            "nothing (run.steps x run.updates_per_batch)"
        )


def _shared(rollouts: RolloutsConfig, reward: RewardConfig) -> Iterator[str]:
    if rollouts.share_commands and reward.speed_weight:
        yield "reward.speed_weight: shared commands take no time (rollouts.share_commands): choose one of the two"


def _demonstrations(warmstart: WarmstartConfig | None, model: ModelConfig) -> Iterator[str]:
    if warmstart is None:
        return
    try:
        if warmstart.demonstrations.startswith(f"{REPAIRS}:"):
            open_source(warmstart.demonstrations)
        else:
            taught(Path(warmstart.demonstrations), start(model, seed=0).renderer)
    except (AgentGymError, ValueError) as error:
        yield f"warmstart.demonstrations: {error}"


_CHECKS: tuple[Callable[..., Iterator[str]], ...] = (
    _agent, _sandbox, _tasks, _model, _batch, _decay, _shared, _demonstrations,
)  # fmt: skip

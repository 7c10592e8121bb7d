"""A training run as a TOML file says it: one table for each part of the loop, beside the parts' own configs.

    [run] [model] [tasks] [rollouts] [trainer]      what most runs say something about
    [warmstart] [heldout] [scheduler] [curriculum]
    [reward] [advantage] [window] [simulation]      what has defaults, or is left out

Only what can be told from the file alone is refused here; what it names is looked up in `check.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, TypeAdapter, ValidationError

from agentgym.env import EpisodeConfig
from agentgym.nearest import nearest
from rl.errors import ConfigProblems
from rl.frozen import Frozen
from rl.learner.optimizer import OptimizerConfig
from rl.learner.trainer import TrainerConfig
from rl.objective.advantage import AdvantageConfig
from rl.objective.reward import RewardConfig
from rl.scheduling.scheduler import SchedulerConfig
from rl.scheduling.simulate import LatencyConfig
from rl.tasks.curriculum import CurriculumConfig
from rl.window import WindowConfig


class RunConfig(Frozen):
    """[run]: how long, how often, from which luck."""

    steps: int = Field(gt=0)
    """Batches to train on, and policy versions to publish."""
    updates_per_batch: int = Field(default=1, gt=0)
    """Optimizer steps that a batch is cut into, whole groups each (MiniMax-M1: 16). They are published together."""
    seed: int = 0
    """Of the fresh weights, the demonstrations, the choice of tasks and the sampling."""
    save_every_steps: int = Field(default=20, gt=0)
    """Train steps between two states to go on from; the last two are kept."""
    keep_episodes_share: float = Field(default=0.01, ge=0, le=1)
    """Part of the episodes that is kept in episodes.jsonl to be looked at."""
    torch_threads: int = Field(default=1, gt=0)
    """Threads of one computation in trainer and engine; the two compute at the same time."""


class ModelConfig(Frozen):
    """[model]: the policy, and how it is sampled. Its temperature is [trainer]'s."""

    name: str = "tiny"
    """tiny: fresh weights, small, over the lexemes of the repairs. Else what `policy:` takes: a name, a folder, a
    .gguf file."""
    device: str = "auto"
    """As torch names it; auto: cuda where there is one, else cpu."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights, in trainer and engine alike."""
    window_tokens: int | None = Field(default=None, gt=0)
    """Longest prompt plus reply; None: the checkpoint's own."""
    max_tokens: int = Field(default=1024, gt=0)
    """Tokens of one reply at most."""
    cache_tokens: int = Field(default=16384, gt=0)
    """Tokens that all conversations together may keep in the engine's cache."""
    parallel: int = Field(default=32, gt=0)
    """Replies that the engine computes at once."""
    kv_on_update: Literal["keep", "recompute", "restart"] = "keep"
    """What new weights do to replies in flight: go on upon what the old ones computed, compute it again, or sample the
    whole reply again."""
    publish_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds after which a publication that the engine does not answer ends the run."""


class TasksConfig(Frozen):
    """[tasks]: each is `repairs:train`, `repairs:heldout` or `repairs:unseen`, made on demand, or names, folders or
    globs of task folders. [curriculum] mixes them under the same words."""

    train: tuple[str, ...] = Field(min_length=1)
    """What is trained on."""
    heldout: tuple[str, ...] = ()
    """Never trained on; success on them is the figure of a run."""
    unseen: tuple[str, ...] = ()
    """Never trained on, and of a kind that is not either."""


class RolloutsConfig(Frozen):
    """[rollouts]: how groups of episodes are run."""

    scaffold: str = "repair"
    """What makes an agent of the model, by its name."""
    sandbox: str = "namespaces"
    """Backend: namespaces or docker."""
    share_commands: bool = False
    """Episodes of a task that have had the same commands so far share what came of them, and equal work is graded once.
    For tasks whose commands do the same each time they are run."""
    group_size: int = Field(default=8, ge=2)
    """Episodes of one task that are compared with each other, G; of one alone nothing could be learnt."""
    parallel: int = Field(default=16, gt=0)
    """Episodes at once. [scheduler] concurrency counts groups, whose episodes may wait for each other."""
    episode: EpisodeConfig = EpisodeConfig()
    """Limits of one episode."""
    retries: int = Field(default=2, ge=0)
    """Episodes of a group that are run again because infrastructure broke them."""
    give_up_s: float = Field(default=900.0, gt=0)
    """Seconds after which an episode that none of its own limits ended is given up as hung."""
    broken_groups_max: int = Field(default=8, gt=0)
    """Groups in a row that infrastructure breaks before the run ends with the last error."""
    barren_groups_max: int = Field(default=1000, gt=0)
    """Groups in a row without a difference in reward before the run ends: there is nothing to learn."""
    shuffle_rewards: bool = False
    """A control that must not learn: the rewards of a group are dealt out to its members at random."""


class WarmstartConfig(Frozen):
    """[warmstart]: imitation before the first rollout."""

    steps: int = Field(gt=0)
    """Train steps."""
    batch_samples: int = Field(default=32, gt=0)
    """Demonstrations in a step."""
    optimizer: OptimizerConfig
    prompt_weight: float = Field(default=0.0, ge=0, le=1)
    """Weight of a prompt's tokens in the loss, beside 1 for those of replies. Fresh weights learn what sound code looks
    like from prompts, of which there is more; a checkpoint knows it."""
    temperature: float = Field(default=1.0, gt=0)
    """Of the probabilities that imitate. Under [trainer]'s, what is sampled afterwards is broader than what was shown:
    less often right, and with more to be found by rollouts."""
    demonstrations: str = "repairs:train"
    """repairs:train: the family's own solutions. Else a file of trajectories, of which the solved ones are imitated."""


class HeldoutConfig(Frozen):
    """[heldout]: how success on tasks that are never trained on is measured."""

    tasks: int = Field(default=96, gt=0)
    """Tasks of each split, the same each time; fewer where there are no more."""
    every_steps: int | None = Field(default=20, gt=0)
    """Train steps between two measurements. None: before the first and after the last only."""
    temperature: float = Field(default=1.0, ge=0)
    """Of sampling; 0 takes the likeliest token."""
    seed: int = 0
    """Of the tasks that are made on demand; apart from [run]'s, so that runs can be compared."""


class SimulationConfig(Frozen):
    """[simulation]: what `--simulate` assumes."""

    latency: LatencyConfig = LatencyConfig()
    """Of one episode."""
    useless_share: float = Field(default=0.0, ge=0, lt=1)
    """Part of the groups that come to nothing."""
    train_step_s: float = Field(default=5.0, gt=0)
    """Seconds from a batch to its published version."""


class TrainConfig(Frozen):
    """A whole run."""

    run: RunConfig
    model: ModelConfig = ModelConfig()
    tasks: TasksConfig
    rollouts: RolloutsConfig = RolloutsConfig()
    trainer: TrainerConfig
    warmstart: WarmstartConfig | None = None
    """None: rollouts begin with the model as it is."""
    heldout: HeldoutConfig = HeldoutConfig()
    scheduler: SchedulerConfig = SchedulerConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    reward: RewardConfig = RewardConfig()
    advantage: AdvantageConfig = AdvantageConfig()
    window: WindowConfig | None = None
    """Stages of what a rollout may sample. None: [rollouts.episode] max_tokens, all the time."""
    simulation: SimulationConfig = SimulationConfig()


def read_tables(path: Path) -> dict[str, Any]:
    """The file as plain data. Raises ConfigProblems."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigProblems([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigProblems([f"{path}: is no TOML: {error}"]) from None


def parse(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Every table that is sound, by name, and a line for everything that is not."""
    fields = TrainConfig.model_fields
    tables: dict[str, Any] = {}
    lines = [f"unknown table [{name}]{nearest(name, fields, what='table')}" for name in data if name not in fields]
    for name, field in fields.items():
        if name not in data and field.is_required():
            lines.append(f"[{name}] is missing")
        elif name not in data:
            tables[name] = field.default
        else:
            try:
                tables[name] = TypeAdapter(cast(Any, field.annotation)).validate_python(data[name])
            except ValidationError as error:
                lines += [_line(name, problem) for problem in error.errors()]
    return tables, lines


def _line(table: str, problem: Any) -> str:
    place = ".".join(map(str, (table, *problem["loc"])))
    text = problem["msg"].removeprefix("Value error, ")
    found = problem["input"]
    shown = f", found {found!r}" if isinstance(found, str | int | float) and problem["type"] != "unknown_key" else ""
    return f"{place}: {text[:1].lower()}{text[1:]}{shown}"

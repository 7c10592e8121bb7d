"""The parts of a run, made from its config and from where its folder stands; nothing runs but the warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from agentgym import entry
from agentgym.backends import build_image, make_backend
from agentgym.gateway import Gateway
from agentgym.protocols import Backend
from agentgym.rollout import rollout
from agentgym.sandbox.sharing import SharingBackend
from agentgym.scaffold import MountingScaffold, Scaffold
from agentgym.task import Task
from rl.config import TrainConfig
from rl.learner.trainer import Trainer
from rl.policies import StartingPolicy, start
from rl.resume import LoopState, States, TrainedGroups
from rl.rollout.heldout import Heldout
from rl.rollout.roller import Roll, Roller
from rl.rollout.rollouts import Rollouts
from rl.rollout.workers import Workers
from rl.run_folder import KeptEpisodes, RunFolder
from rl.scheduling.scheduler import Scheduler
from rl.tasks.curriculum import Curriculum
from rl.tasks.sources import TaskPool, open_source
from rl.warmstart import Told, warm_up
from rl.weights import Publisher
from rl.window import WindowState


@dataclass(frozen=True)
class Parts:
    began_s: float
    """When its making began, by time.perf_counter()."""
    state: LoopState
    """Where the run stands."""
    trainer: Trainer
    publisher: Publisher
    scheduler: Scheduler
    curriculum: Curriculum
    workers: Workers
    rollouts: Rollouts
    heldout: Heldout
    states: States
    trained_groups: TrainedGroups
    limit: Callable[[int], None]
    """Tokens that a rollout may sample from now on."""


@contextmanager
def assembled(
    config: TrainConfig,
    folder: RunFolder,
    *,
    told: Callable[[str], None],
    warming: Told = lambda step, metrics: True,
    roll: Roll | None = None,
) -> Iterator[Parts]:
    """Everything started, images built, the warm-up done where there is no state yet; ended when the context is left.

    told: takes what a user should know. warming: as in `warm_up`. roll: another way to run an episode, which needs no
    sandbox. Raises AgentGymError, TrainingError and ValueError (of one line).
    """
    began_s = time.perf_counter()
    torch.set_num_threads(config.run.torch_threads)
    folder.clear_scratch()
    with ExitStack() as ending:
        ending.callback(folder.clear_scratch)
        scaffold = entry.make_scaffold(config.rollouts.scaffold)
        sources = [open_source(spec) for spec in config.tasks.train]
        heldout = {
            split: _examples(specs, config, folder.scratch / split)
            for split, specs in (("heldout", config.tasks.heldout), ("unseen", config.tasks.unseen))
        }
        if roll is None:
            backend = make_backend(config.rollouts.sandbox)
            if config.rollouts.share_commands:
                backend = SharingBackend(backend)
            roll = partial(rollout, backend=backend)
            tasks = [task for source in sources for task in source.environments(folder.scratch / "environments")]
            _prepare(backend, scaffold, [*tasks, *heldout["heldout"], *heldout["unseen"]])
        policy, trainer, states, state = _learner(config, folder, told, warming)
        model = policy.serve(
            trainer.weights(),
            config.model,
            temperature=config.trainer.temperature,
            seed=config.run.seed + state.step,  # what was sampled before is not sampled again
            version=state.step,
        )
        ending.callback(model.close)
        gateway = ending.enter_context(Gateway())
        workers = Workers(config.rollouts.parallel)
        ending.callback(workers.close)
        weighed = config.reward.compliance_weight > 0
        training = Roller(roll, scaffold, model, gateway, config.rollouts.episode, scores=weighed)
        if config.window is not None and state.window is not None:
            training.limit(state.window.window_tokens(config.window))
        trying = Roller(
            roll, scaffold, model.sampled(temperature=config.heldout.temperature), gateway, config.rollouts.episode
        )
        pool = TaskPool(sources, folder.scratch / "train")
        scheduler = Scheduler(config.scheduler, state.scheduler)
        curriculum = Curriculum(pool.candidates, config.curriculum, seed=config.run.seed, state=state.curriculum)
        keep = KeptEpisodes(folder.episodes, share=config.run.keep_episodes_share)
        yield Parts(
            began_s=began_s,
            state=state,
            trainer=trainer,
            publisher=Publisher(model.engine, timeout_s=config.model.publish_timeout_s),
            scheduler=scheduler,
            curriculum=curriculum,
            workers=workers,
            rollouts=Rollouts(
                config.rollouts,
                config.reward,
                scheduler=scheduler,
                curriculum=curriculum,
                pool=pool,
                workers=workers,
                roll_out=training,
                keep=keep,
                seed=config.run.seed,
                groups={group.slot: group for group in state.groups},
                candidates=state.candidates,
            ),
            heldout=Heldout(heldout, workers=workers, roll_out=trying, keep=keep, give_up_s=config.rollouts.give_up_s),
            states=states,
            trained_groups=TrainedGroups(folder.groups),
            limit=training.limit,
        )


def _learner(
    config: TrainConfig, folder: RunFolder, told: Callable[[str], None], warming: Told
) -> tuple[StartingPolicy, Trainer, States, LoopState]:
    """The policy where the run stands: restored, or warmed up."""
    policy = start(config.model, seed=config.run.seed)
    tokenizer = policy.write_tokenizer(folder.tokenizer)
    states = States(folder.states, model_type=policy.model_type, tokenizer_from=tokenizer)
    if not states.any and config.warmstart is not None:
        warm_up(policy.decoder, policy.renderer, config.warmstart, config.trainer, seed=config.run.seed, told=warming)
    trainer = Trainer(policy.decoder, config.trainer)
    window = WindowState() if config.window is not None else None
    return policy, trainer, states, states.restore(trainer, told) or LoopState(step=0, window=window)


def _examples(specs: Sequence[str], config: TrainConfig, scratch: Path) -> list[Task]:
    """As many of each spec."""
    n = -(-config.heldout.tasks // max(1, len(specs)))
    return [task for spec in specs for task in open_source(spec).examples(n, config.heldout.seed, scratch)]


def _prepare(backend: Backend, scaffold: Scaffold, tasks: Sequence[Task]) -> None:
    """Images and programs, before the first episode. Raises ImageError, SandboxError, UsageError."""
    for task in tasks:
        build_image(task, backend)
    if isinstance(scaffold, MountingScaffold):
        scaffold.mounts(backend)

"""What `agentgym train` and `agentgym sft` do: read the config, make the folder, run, tell how it ended."""

from __future__ import annotations

import atexit
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import typer

from agentgym.cli.console import fail, note, stdout, table
from agentgym.errors import UsageError
from policy.checkpoint import save as save_checkpoint
from rl.assembly import assembled
from rl.check import read_config
from rl.config import TrainConfig, WarmstartConfig
from rl.errors import ConfigProblems, TrainingError
from rl.loop import Loop, Result
from rl.observe.console import ConsoleLines
from rl.observe.jsonl import JsonLines
from rl.observe.record import Observer, Record
from rl.observe.tensorboard import TensorBoard
from rl.policies import start
from rl.run_folder import RunFolder
from rl.scheduling.simulate import Simulation, SimulationConfig, simulate
from rl.warmstart import Told, warm_up

_USAGE, _INFRASTRUCTURE, _INTERRUPTED = 2, 3, 130
_NOTES = 10
"""On the way through a warm-up."""


def trained(path: Path | None, out: Path | None, seed: int | None, *, as_json: bool) -> None:
    """A new run. Raises typer.Exit and AgentGymError, as everything here."""
    with _errors():
        config, data = _read(path, seed)
        folder = _folder(path, out)
        folder.create(data)
        _train(config, folder, as_json=as_json)


def resumed(run: Path, *, given: Sequence[object], as_json: bool) -> None:
    """A run goes on. given: what else was on the command line, which has no place there."""
    if any(value is not None for value in given):
        raise UsageError(
            f"--resume {run}: takes everything from {run}/config.toml; leave CONFIG, --out and --seed away"
        )
    with _errors():
        folder = RunFolder(run)
        config, _ = read_config(folder.config)
        _train(config, folder, as_json=as_json)


def checked(path: Path | None, seed: int | None) -> None:
    """Only the checks."""
    with _errors():
        _read(path, seed)
    note(f"{path}: everything that it names is there and fits")


def simulated(path: Path | None, seed: int | None, *, as_json: bool) -> None:
    """The run's scheduler under a simulated clock."""
    with _errors():
        config, _ = _read(path, seed)
    assumed = config.simulation
    found = simulate(
        SimulationConfig(
            scheduler=config.scheduler,
            latency=assumed.latency,
            group_size=config.rollouts.group_size,
            useless_share=assumed.useless_share,
            train_step_s=assumed.train_step_s,
            steps=config.run.steps,
            seed=config.run.seed,
        )
    )
    figures = _figures(found)
    if as_json:
        print(json.dumps(figures))
        return
    shown = table(["", ">"])
    shown.show_header = False
    for name, value in figures.items():
        shown.add_row(name, f"{value:.3g}")
    stdout().print(shown)


def imitated(path: Path | None, out: Path | None, seed: int | None, *, as_json: bool) -> None:
    """The warm-up alone."""
    with _errors():
        config, data = _read(path, seed)
        if config.warmstart is None:
            raise ConfigProblems([f"{path}: [warmstart] is missing: there is nothing to imitate"])
        folder = _folder(path, out)
        folder.create(data)
        began_s = time.perf_counter()
        torch.set_num_threads(config.run.torch_threads)
        policy = start(config.model, seed=config.run.seed)
        with _stopping() as stop:
            losses: list[float] = []

            def told(step: int, metrics: dict[str, float]) -> bool:
                losses.append(metrics["loss"])
                return not stop.is_set()

            noted = _both(told, _notes(note, config.warmstart))
            warm_up(policy.decoder, policy.renderer, config.warmstart, config.trainer, seed=config.run.seed, told=noted)
        model = save_checkpoint(
            policy.decoder,
            folder.path / "model",
            model_type=policy.model_type,
            tokenizer_from=policy.write_tokenizer(folder.tokenizer),
        )
    if as_json:
        wall_s = time.perf_counter() - began_s
        print(json.dumps({"loss": losses[-1], "steps": len(losses), "wall_s": wall_s, "model": str(model)}))
    note(f"{model}: the policy, after {len(losses)} steps")
    if stop.is_set():
        raise typer.Exit(_INTERRUPTED)


def _train(config: TrainConfig, folder: RunFolder, *, as_json: bool) -> None:
    with ExitStack() as ending:
        stop = ending.enter_context(_stopping())
        observers: list[Observer] = [JsonLines(folder.metrics), TensorBoard(folder.tensorboard), ConsoleLines()]
        for observer in observers:
            ending.enter_context(closing(observer))

        def told(text: str) -> None:
            for observer in observers:
                observer.record(Record(kind="note", step=0, at=datetime.now(UTC), metrics={}, text=text))

        warming = _both(_notes(told, config.warmstart), lambda step, metrics: not stop.is_set())
        parts = ending.enter_context(assembled(config, folder, told=told, warming=warming))
        result = Loop(config, parts, observers).run(stop)
    if as_json:
        print(json.dumps(_summary(result, folder)))
    else:
        for split, before in result.before.items():
            if split in result.after:
                stdout().print(f"{split}: {before:.3f} -> {result.after[split]:.3f}")
    note(f"{folder.path}: {result.steps} steps; `agentgym view {folder.path}` shows its curves and episodes")
    if result.stopped:
        note(f"stopped; go on with `agentgym train --resume {folder.path}`")
        raise typer.Exit(_INTERRUPTED)


def _summary(result: Result, folder: RunFolder) -> dict[str, Any]:
    success = {split: {"before": before, "after": result.after.get(split)} for split, before in result.before.items()}
    return {**success, "steps": result.steps, "wall_s": result.wall_s, "run": str(folder.path)}


def _read(path: Path | None, seed: int | None) -> tuple[TrainConfig, dict[str, Any]]:
    if path is None:
        raise UsageError("found no CONFIG, wanted a .toml file, such as configs/quickstart.toml")
    return read_config(path, overrides={} if seed is None else {"run": {"seed": seed}})


def _folder(path: Path | None, out: Path | None) -> RunFolder:
    stem = path.stem if path is not None else "run"
    return RunFolder(out or Path("runs") / f"{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}")


def _figures(found: Simulation) -> dict[str, float]:
    own = {field.name: getattr(found, field.name) for field in fields(found) if field.name != "metrics"}
    return {**own, "staleness_max": float(found.staleness_max), "lag_groups_max": float(max(found.metrics.lag_groups))}


def _notes(told: Callable[[str], None], warmstart: WarmstartConfig | None) -> Told:
    """Some lines on the way."""
    steps = warmstart.steps if warmstart is not None else 0

    def tell(step: int, metrics: dict[str, float]) -> bool:
        if step % max(1, steps // _NOTES) == 0 or step == steps:
            told(f"warm-up: {step} of {steps}, loss {metrics['loss']:.3f}")
        return True

    return tell


def _both(*each: Told) -> Told:
    return lambda step, metrics: all([told(step, metrics) for told in each])


@contextmanager
def _errors() -> Iterator[None]:
    """Those of training, as lines and an exit code."""
    try:
        yield
    except ConfigProblems as error:
        for line in error.lines:
            fail(line)
        raise typer.Exit(_USAGE) from None
    except TrainingError as error:
        fail(str(error))
        raise typer.Exit(_INFRASTRUCTURE) from None


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM; a second one does not wait."""
    stop = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            atexit._run_exitfuncs()  # they remove sandboxes
            os._exit(_INTERRUPTED)
        stop.set()
        note("stopping after this step, with a state to go on from (Ctrl-C again: at once)")

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

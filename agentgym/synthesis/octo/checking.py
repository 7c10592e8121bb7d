"""Shows that tasks are fit: who keeps the rules passes every item and is rewarded, who breaks one fails that alone.

Real episodes in the sandbox, played by scripts. It reads no model's answers and asks no judge.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agentgym.entry import make_scaffold
from agentgym.protocols import Backend
from agentgym.rollout import Job, rollout
from agentgym.scoring.checklist import Result, check, read_checklist
from agentgym.synthesis.octo.agent import Player
from agentgym.synthesis.octo.breaking import together
from agentgym.synthesis.octo.conduct import Conduct
from agentgym.synthesis.octo.draft import Breach, Draft
from agentgym.synthesis.octo.folder import config, contents, write_draft
from agentgym.synthesis.octo.script import replies
from agentgym.task import Task, TaskParts, write_task
from agentgym.trajectory import Trajectory

WINDOW_TOKENS = 5_000
"""Small enough for the conversation of a long task to be compacted."""
_UNGRADED = "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n"
"""Whether the work is good does not matter where rules are broken."""


Grouping = Callable[[Sequence[Breach]], list[list[Breach]]]
"""Which breaches happen in one episode."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the episodes of one task showed."""

    task: str
    n_program_items: int
    kept: frozenset[str]
    """Items that passed where every rule was kept."""
    broken: frozenset[str]
    """Items that failed, alone or with what hangs on them, where they were broken."""
    n_episodes: int
    problems: tuple[str, ...]


def check_drafts(
    drafts: Sequence[Draft], backend: Backend, grouping: Grouping = together, *, parallel: int = 1
) -> Iterator[Shown]:
    """Each draft in turn, `parallel` at a time."""
    with ThreadPoolExecutor(parallel, thread_name_prefix="octo") as threads:
        yield from threads.map(lambda draft: check_draft(draft, backend, grouping), drafts)


def check_draft(draft: Draft, backend: Backend, grouping: Grouping = together, *, graded: bool = True) -> Shown:
    """Play the compliant script, then one for each group of breaches. `graded`: the work has to be good as well.

    Raises TaskError, SandboxError.
    """
    groups = grouping(draft.breaches())
    with tempfile.TemporaryDirectory(prefix="octo-") as folder:
        lax = write_task(_ungraded(draft), Path(folder) / "lax")
        task = write_draft(draft, Path(folder) / "task") if graded else lax
        results, problems = _results(task, play(draft, task, draft.compliant(), backend, runs=graded))
        kept = frozenset(item for item, result in results.items() if result == "pass")
        problems += [f"kept, and {result}: {item}" for item, result in results.items() if result != "pass"]
        broken: set[str] = set()
        for group in groups:
            found = _broken(draft, lax, group, backend)
            problems += found
            broken |= set() if found else _items(group)
    n_program = sum(item.check is not None for item in draft.items())
    return Shown(draft.name, n_program, kept, frozenset(broken), 1 + len(groups), tuple(problems))


def play(draft: Draft, task: Task, conducts: Sequence[Conduct], backend: Backend, *, runs: bool = True) -> Trajectory:
    """One episode. `runs`: of tests, see `script`."""
    scaffold = make_scaffold("plan" if draft.long else "tools")
    player = Player(replies(draft.turns, conducts, runs=runs), draft.queries, WINDOW_TOKENS if draft.long else None)
    return rollout(Job(task, scaffold, player), backend)


def _results(task: Task, trajectory: Trajectory) -> tuple[dict[str, Result], list[str]]:
    """Verdicts by item, and what is wrong with the episode itself."""
    problems = []
    if trajectory.reward != 1.0:
        why = trajectory.error.message if trajectory.error else trajectory.outcome and trajectory.outcome.detail
        problems.append(f"the reward is {trajectory.reward} ({trajectory.stop_reason}): {why}")
    verdicts = check(read_checklist(task), trajectory)
    return {verdict.item: verdict.result for verdict in verdicts}, problems


def _broken(draft: Draft, task: Task, group: Sequence[Breach], backend: Backend) -> list[str]:
    """What is wrong with breaches: they are to fail what they break and nothing else."""
    results, problems = _results(task, play(draft, task, draft.conducts(group), backend, runs=False))
    wanted = _items(group)
    problems += [f"broken, and {results[item]}: {item}" for item in sorted(wanted) if results[item] != "fail"]
    failed = {item for item, result in results.items() if result in ("fail", "error")}  # what is not done has no form
    by = ", ".join(sorted(wanted)[:3])
    return problems + [f"{results[item]} by {by} ...: {item}" for item in sorted(failed - wanted)]


def _items(group: Sequence[Breach]) -> frozenset[str]:
    return frozenset(item for breach in group for item in breach.items)


def _ungraded(draft: Draft) -> TaskParts:
    files = {name: text for name, text in contents(draft).items() if "/tests/" not in name}
    return TaskParts(config(draft), "", {**files, "tests/test.sh": _UNGRADED.encode()})

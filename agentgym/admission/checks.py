"""What a task's settings, and the runs of its solution (gold) and of doing nothing (nop), must show. Runs nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from agentgym.admission.report import Finding, Run, Status
from agentgym.scoring.changes import is_protected
from agentgym.task import Task

SLOW_S = 10.0
"""Grading that takes longer is worth a warning."""
_SHOWN = 5


def settings(task: Task) -> Iterator[Finding]:
    """What can be said without running anything."""
    environment = task.config.environment
    said = list(task.unknown_keys)
    if environment.network_mode is None:
        said.append('[environment] network_mode is not stated; wanted "no-network" (episodes are offline anyway)')
    if task.gym.grading != "diff":
        said.append(
            f'grading = "{task.gym.grading}" trusts what the agent was root of; wanted "diff" where the work is files'
        )
    yield Finding(name="settings", status="warning" if said else "ok", detail="; ".join(said))
    required = (*task.fail_to_pass, *task.pass_to_pass)
    if required:
        if not task.fail_to_pass or not task.pass_to_pass:
            found = f"found {len(task.fail_to_pass)} fail_to_pass and {len(task.pass_to_pass)} pass_to_pass"
            yield Finding(name="required tests", status="refused", detail=f"{found}, wanted at least 1 of each")
        if both := set(task.fail_to_pass) & set(task.pass_to_pass):
            yield Finding(name="required tests", status="refused", detail=f"in both lists: {_some(sorted(both))}")
        yield _out_of_reach(task, required)
        names = {test_id.partition("[")[0].rpartition("::")[2] for test_id in task.fail_to_pass}
        if told := sorted(name for name in names if name and name in task.instruction):
            yield Finding(name="instruction", status="warning", detail=f"names hidden tests: {_some(told)}")


def _out_of_reach(task: Task, required: Sequence[str]) -> Finding:
    """Every file with a required test is put back or brought along by the verifier."""
    files = {test_id.partition("::")[0] for test_id in required}
    brought = task.tests_dir / "files" if task.tests_dir else None
    open_ones = sorted(
        file
        for file in files
        if not is_protected(file, task.gym.protected) and not (brought and (brought / PurePosixPath(file)).is_file())
    )
    if not open_ones or task.gym.grading != "diff":
        return Finding(name="protected", status="ok")
    detail = f"the agent can rewrite {_some(open_ones)}; name them in [metadata.agentgym] protected"
    return Finding(name="protected", status="refused", detail=detail)


def runs(task: Task, gold: Sequence[Run], nop: Sequence[Run]) -> Iterator[Finding]:
    """What the solution and doing nothing are worth, whether each state's runs agree, and what each test does."""
    yield _rewarded("gold", gold, 1.0)
    yield _rewarded("nop", nop, 0.0)
    for state in (gold, nop):
        yield _agreement(state)
    if task.fail_to_pass and not any(run.infrastructure or run.reward is None for run in (*gold, *nop)):
        yield _failing(nop[0])
        yield _passing(gold[0], nop[0])
    seconds = statistics.median(run.grading_s for run in (*gold, *nop))
    slow: Status = "warning" if seconds > SLOW_S else "ok"
    yield Finding(name="grading time", status=slow, detail=f"{seconds:.1f} s")


def _rewarded(name: str, runs: Sequence[Run], wanted: float) -> Finding:
    if lost := [run.infrastructure for run in runs if run.infrastructure]:
        return Finding(name=name, status="unknown", detail=lost[0])
    for run in runs:
        if run.reward != wanted:
            found = f"reward {run.reward}" if run.reward is not None else f"no reward ({run.trouble})"
            detail = f"run {run.repeat + 1}: {found}, wanted {wanted:.0f}; {run.detail}".rstrip("; ")
            return Finding(name=name, status="refused", detail=detail)
    return Finding(name=name, status="ok", detail=f"reward {wanted:.0f} in {len(runs)} runs")


def _agreement(runs: Sequence[Run]) -> Finding:
    name = f"{runs[0].agent} agrees"
    verdicts = [{**run.fail_to_pass, **run.pass_to_pass} for run in runs if not run.infrastructure]
    tests = {test for run in verdicts for test in run}
    flaky = sorted(test for test in tests if len({run.get(test) for run in verdicts}) > 1)
    if flaky:
        return Finding(name=name, status="refused", detail=f"flaky: {_some(flaky)}")
    if len(runs) == 1:
        return Finding(name=name, status="skipped", detail="one run agrees with itself")
    return Finding(name=name, status="ok")


def _failing(nop: Run) -> Finding:
    """Every fail_to_pass test must itself fail before the work, which is more than not passing."""
    found = nop.fail_to_pass
    if all(verdict == "missing" for verdict in {**found, **nop.pass_to_pass}.values()):
        detail = f"without the fix no test ran at all: the collection broke; {nop.detail}"
        return Finding(name="fail_to_pass", status="refused", detail=detail)
    if other := sorted(f"{test} ({verdict})" for test, verdict in found.items() if verdict != "failed"):
        return Finding(name="fail_to_pass", status="refused", detail=f"do not fail without the fix: {_some(other)}")
    return Finding(name="fail_to_pass", status="ok", detail=f"{len(found)} tests")


def _passing(gold: Run, nop: Run) -> Finding:
    for run in (nop, gold):
        if other := sorted(f"{test} ({verdict})" for test, verdict in run.pass_to_pass.items() if verdict != "passed"):
            detail = f"do not pass under {run.agent}: {_some(other)}"
            return Finding(name="pass_to_pass", status="refused", detail=detail)
    return Finding(name="pass_to_pass", status="ok", detail=f"{len(gold.pass_to_pass)} tests")


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest

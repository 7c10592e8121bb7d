"""Grades one step of a task by running its tests, where the agent has never been unless the task asks for it.

    diff    fresh sandbox + the agent's changes under WORKDIR, protected files left behind
    layer   fresh sandbox on a frozen copy of all the agent's files: its processes are gone
    shared  the agent's own sandbox

Only `diff` stands up to an agent that wants to forge. In the other two whoever was root in the sandbox has had every
program that grading runs in hand. And even there the code under test runs in the process that reports on it: code that
rewrites single verdicts, and leaves the canary of tests/test.sh alone, is not found out.

The reward is what tests/test.sh leaves in /logs/verifier. Where the task lists required tests, their verdicts decide,
and a reward file that says otherwise is a GraderError: an unknown reward is None, never 0.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from agentgym.errors import GraderError, SandboxLost, TaskError
from agentgym.protocols import Backend, Image, Limits, Sandbox, SandboxSpec
from agentgym.sandbox.transfer import archive
from agentgym.scoring import changes, junit
from agentgym.task import Step, Task, expand_variables
from agentgym.trajectory import Outcome

TESTS, VERDICT = "/tests", "/logs/verifier"
FIXED_ENV = {"TZ": "UTC", "PYTHONHASHSEED": "0"}
_FILES = ("reward.txt", "reward.json", "tampered", "junit.xml")
_MARK, _NOT_BROUGHT_IN = "[verifier] the tests were not brought in", 97
_CLEAR = f"for place in {TESTS} {VERDICT}; do if [ -e $place ] || [ -L $place ]; then rm -rf $place; fi; done\n"
"""What the agent may have laid there for the verifier to find. A program that is not run takes no time."""
_BRING_IN = f"""
tar -x -f - -C / --no-same-owner && mkdir -p {VERDICT} || {{ echo "{_MARK}" >&2; exit {_NOT_BROUGHT_IN}; }}
"""
"""Reads an archive of the tests."""
_RUN = f"bash {TESTS}/test.sh < /dev/null"
_HAND_OUT = f"""
left=$?
cd {VERDICT} && set -- && for name in {" ".join(_FILES)}; do
    if [ -e $name ] || [ -L $name ]; then set -- "$@" $name; fi
done
if [ $# -gt 0 ]; then tar -c -f - --no-recursion -- "$@"; fi
exit $left
"""
"""Writes an archive of the verdict."""
_FILE_BYTES = 1 << 20
_REPORT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Graded:
    outcome: Outcome
    patch: str | None
    """Unified diff from the image's files and those that the steps brought in to what the agent left; None where
    grading shares the agent's sandbox."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Knows how one task is graded on one backend."""

    task: Task
    backend: Backend
    image: Image
    labels: Mapping[str, str]

    def grade(self, step: Step, agent: Sandbox, workdir: str) -> Graded:
        """Raises GraderError and SandboxError, neither of which is the agent's doing."""
        mode = self.task.gym.grading
        if mode == "shared":
            return Graded(self.verify(step, agent, workdir), None)
        if mode == "layer":
            image = agent.snapshot()
            with self._fresh(image) as sandbox:
                return Graded(self.verify(step, sandbox, workdir), None)
        try:
            taken = changes.take(agent, workdir, self.task.gym.protected)
            with self._fresh(self.image, extra_mb=(len(taken.archive) >> 20) + 1) as sandbox:
                was = changes.apply(sandbox, workdir, taken)
                patch = changes.patch(was, taken, self.task.brought_in(step))
                graded = self.verify(step, sandbox, workdir)
        except changes.NotTaken as error:
            if not agent.alive():
                raise SandboxLost(f"the sandbox died while its changes were taken: {error}") from None
            return Graded(self._without_report(f"the changes cannot be taken: {error}"), None)
        if taken.refused:
            note = f"left behind, since the task protects them: {', '.join(taken.refused[:10])}"
            graded = graded.model_copy(update={"detail": f"{graded.detail}\n{note}".strip()})
        return Graded(graded, patch)

    @contextlib.contextmanager
    def _fresh(self, image: Image, *, extra_mb: int = 0) -> Iterator[Sandbox]:
        """`extra_mb`: room for the agent's changes, beside what the tests may use."""
        environment = self.task.config.verifier.environment or self.task.config.environment
        spec = SandboxSpec(
            image=image,
            limits=Limits(
                memory_mb=environment.memory_mb + extra_mb,
                cpus=float(environment.cpus),
                storage_mb=environment.storage_mb + extra_mb,
            ),
            env=expand_variables(environment.env, os.environ),
            labels={**self.labels, "agentgym.phase": "grading"},
            ttl_s=self.task.config.verifier.timeout_sec + 600.0,
        )
        sandbox = self.backend.create(spec)
        try:
            sandbox.start()
            yield sandbox
        finally:
            sandbox.stop()

    def verify(self, step: Step, sandbox: Sandbox, workdir: str) -> Outcome:
        """Bring the tests in, run them, read what they left."""
        verifier = step.config.verifier
        folders = [folder for folder in dict.fromkeys((self.task.tests_dir, step.tests_dir)) if folder]
        if not folders:
            raise TaskError(f"{self.task.path}: found no tests/, wanted tests/test.sh to grade by")
        user = str(verifier.user) if verifier.user is not None else "root"
        bring_in = _BRING_IN if self.task.gym.grading == "diff" else _CLEAR + _BRING_IN
        env = {**FIXED_ENV, **expand_variables(verifier.env, os.environ)}
        run = partial(sandbox.exec, timeout_s=verifier.timeout_sec, cwd=workdir, env=env)
        as_root = partial(run, user="root", stdout_limit_bytes=_REPORT_BYTES + 1)
        # one command where it can be: each costs as much as a small test
        script = bring_in + (f"{_RUN} >&2{_HAND_OUT}" if user == "root" else f"chmod 777 {VERDICT}")
        result = as_root(["bash", "-c", script], stdin=archive(folders, TESTS))
        if result.exit_code == _NOT_BROUGHT_IN and _MARK in result.stderr:
            why = result.stderr.strip()[-300:]
            if self.task.gym.grading == "diff":
                raise GraderError(f"the tests cannot be brought in: {why}")
            return self._without_report(f"the agent left no place for the tests: {why}")
        said = result.stderr
        if user != "root" and not result.timed_out:
            result = run(["bash", "-c", _RUN], user=user)
            said = result.stdout + result.stderr
        if result.timed_out:
            return self._without_report(f"the tests did not finish within {verifier.timeout_sec:.0f} s")
        handed_out = result if user == "root" else as_root(["bash", "-c", _HAND_OUT])
        return self._read(_verdict(handed_out.stdout_bytes), result.exit_code, said)

    def _without_report(self, why: str) -> Outcome:
        return Outcome(
            reward=0.0,
            fail_to_pass=dict.fromkeys(self.task.fail_to_pass, "missing"),
            pass_to_pass=dict.fromkeys(self.task.pass_to_pass, "missing"),
            detail=why,
        )

    def _read(self, left: Callable[..., str | None], exit_code: int, said: str) -> Outcome:
        text, table = left("reward.txt"), left("reward.json")
        if text is None and table is None:
            tail = said.strip()[-500:]
            raise GraderError(f"test.sh ended with {exit_code} and left no reward file; it last said: {tail}")
        rewards = _parse_table(table) if table is not None else {}
        told = [_parse_number(text.strip(), "reward.txt", (str,))] if text is not None else []
        if rewards:
            told.append(_main_reward(rewards))
        if len(set(told)) > 1:
            raise GraderError(f"reward.txt says {told[0]} and reward.json says {told[1]}: which one was forged?")
        tampered = left("tampered")
        if tampered is not None:
            return self._without_report(f"tampering: {tampered.strip()}")
        required = (*self.task.fail_to_pass, *self.task.pass_to_pass)
        if not required:
            return Outcome(reward=told[0], rewards=rewards, detail=_summary(exit_code, said))
        return self._judge(left("junit.xml", _REPORT_BYTES), told[0], rewards, _summary(exit_code, said))

    def _judge(self, report: str | None, told: float, rewards: dict[str, float], summary: str) -> Outcome:
        """Rewards from the verdicts of the required tests, held against what the reward file says."""
        if report is None:
            if told:
                raise GraderError(f"the reward file says {told} but there is no junit.xml to show for it")
            return self._without_report(f"the tests left no report; {summary}")
        try:
            found = junit.verdicts(report.encode(), (*self.task.fail_to_pass, *self.task.pass_to_pass))
        except GraderError as error:
            if told:
                raise
            return self._without_report(str(error))
        failed = [test_id for test_id, verdict in found.items() if verdict != "passed"]
        reward = 0.0 if failed else 1.0
        if told != reward:
            found_out = f"{len(failed)} of {len(found)} required tests did not pass"
            raise GraderError(f"the reward file says {told} but {found_out}")
        detail = "; ".join(f"{test_id}: {found[test_id]}" for test_id in failed[:10])
        return Outcome(
            reward=reward,
            rewards=rewards,
            fail_to_pass={test_id: found[test_id] for test_id in self.task.fail_to_pass},
            pass_to_pass={test_id: found[test_id] for test_id in self.task.pass_to_pass},
            detail=detail or f"all {len(found)} required tests passed",
        )


def _summary(exit_code: int, said: str) -> str:
    lines = said.strip().splitlines()
    return f"test.sh ended with {exit_code}" + (f": {lines[-1][:200]}" if lines else "")


def _verdict(packed: bytes) -> Callable[..., str | None]:
    """What the verifier left, by name."""
    if not packed:
        return lambda *_: None
    if len(packed) > _REPORT_BYTES:
        raise GraderError(f"{VERDICT}: what was left is larger than {_REPORT_BYTES} bytes")
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            found = {info.name: archive.extractfile(info) if info.isreg() or info.islnk() else None for info in archive}
            contents = {name: file.read() if file else None for name, file in found.items()}
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        raise GraderError(f"{VERDICT}: {error}") from None

    def left(name: str, limit_bytes: int = _FILE_BYTES) -> str | None:
        if name not in contents:
            return None
        data = contents[name]
        if data is None:
            raise GraderError(f"{VERDICT}/{name}: found no regular file, wanted one")
        if len(data) > limit_bytes:
            raise GraderError(f"{VERDICT}/{name}: found {len(data)} bytes, wanted at most {limit_bytes}")
        return data.decode("utf-8", "replace")

    return left


def _parse_number(value: object, where: str, kinds: tuple[type, ...] = (int, float)) -> float:
    try:
        if type(value) not in kinds:  # bool is an int to isinstance
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise GraderError(f"{where}: found {str(value)[:80]!r}, wanted a number") from None
    if not math.isfinite(number):
        raise GraderError(f"{where}: found {number}, wanted a finite number")
    return number


def _parse_table(text: str) -> dict[str, float]:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GraderError(f"reward.json: not JSON: {error}") from None
    if isinstance(table, int | float) and not isinstance(table, bool):
        table = {"reward": table}
    if not isinstance(table, dict) or not table:
        raise GraderError("reward.json: wanted a flat object of numbers")
    return {str(name): _parse_number(value, f"reward.json: {name}") for name, value in table.items()}


def _main_reward(rewards: Mapping[str, float]) -> float:
    if "reward" in rewards:
        return rewards["reward"]
    if len(rewards) == 1:
        return next(iter(rewards.values()))
    raise GraderError(f"reward.json: found {', '.join(rewards)}, wanted one of them called reward")

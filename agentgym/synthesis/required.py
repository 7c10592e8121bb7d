"""Which tests grade a task: found out by running them with the bug and with the fix, as the verifier will.

A test that passes with the fix alone must be repaired, one that passes with both must stay whole; what fails with the
fix or does not do the same every time grades nothing. On the way the author's patch is put in its final form: the tests
in a fix move to tests/files; of a bug the fix is derived, and the test files that show it are hidden from the agent.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentgym.backends import build_image
from agentgym.errors import GraderError, TaskError
from agentgym.protocols import Backend, Image, Limits, Sandbox, SandboxSpec
from agentgym.scoring.junit import junit_key
from agentgym.synthesis.new import template
from agentgym.synthesis.origin import is_test
from agentgym.task import Task, load_task

RUNS = 2
"""Of each state."""
PASS_TO_PASS_AT_MOST = 200
"""Grading is to be quick; the tests nearest to the fix are kept."""

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True)
class Required:
    """What was found, by pytest id."""

    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    fail_to_fail: tuple[str, ...]
    """They fail with the fix too: something that they need is missing, or the fix breaks them."""
    unsteady: tuple[str, ...]
    """Not the same in every run."""
    left_out: int
    """Passing tests above PASS_TO_PASS_AT_MOST, or with ids that pytest cannot be given back."""
    hidden: tuple[str, ...]
    """Test files that lie in tests/files, relative to WORKDIR."""


def derive(task: Task, backend: Backend) -> Required:
    """Find the required tests and write them, with all that follows from the author's patch, into the task's folder.

    Raises TaskError when the patch does not apply or no test tells the fix from the bug, ImageError, SandboxError.
    """
    if task.multi_step:
        raise TaskError(f"{task.path}: found a task of {len(task.steps)} steps, wanted one without steps")
    by_bug = (task.path / "environment/bug.patch").is_file()
    _refuse_template(task, "environment/bug.patch" if by_bug else "solution/fix.patch")
    image = build_image(task, backend)
    if by_bug:
        _derive_fix(task, backend, image)
    else:
        _move_tests(task, backend, image)
    bugged = [_run(task, backend, image, fixed=False) for _ in range(RUNS)]
    fixed = [_run(task, backend, image, fixed=True) for _ in range(RUNS)]
    found = _compare(bugged, fixed, _hidden(task))
    if not found.fail_to_pass:
        raise TaskError(
            f"{task.path}: found no test that fails with the bug and passes with the fix ({len(found.pass_to_pass)} "
            f"pass with both, {len(found.fail_to_fail)} fail with the fix), wanted one or more: write them to "
            "tests/files, at their places in the work tree"
        )
    if by_bug:
        _hide(task, backend, image, {test.partition("::")[0] for test in found.fail_to_pass})
    file = task.path / "tests/tests.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    lists = {"fail_to_pass": list(found.fail_to_pass), "pass_to_pass": list(found.pass_to_pass)}
    file.write_text(json.dumps({**kept, **lists}, indent=2) + "\n", encoding="utf-8")
    return Required(
        found.fail_to_pass,
        found.pass_to_pass,
        found.fail_to_fail,
        found.unsteady,
        found.left_out,
        tuple(sorted(_hidden(load_task(task.path)))),
    )


# ---------------------------------------------------------------------------------------------------- patches


def _refuse_template(task: Task, name: str) -> None:
    file = task.path / name
    if not file.is_file() or not file.read_bytes().strip():
        raise TaskError(f"{file}: found no patch, wanted one as `git diff` shows it")
    if file.read_text(encoding="utf-8", errors="replace") == template(f"new/{file.name}"):
        raise TaskError(f"{file}: found the template as it was, wanted a patch as `git diff` shows it")


def split_patch(patch: bytes) -> list[tuple[str, bytes]]:
    """(path, its part) for each file of a unified diff, `a/` and `b/` taken off; text before the first is dropped."""
    parts: list[tuple[str, list[bytes]]] = []
    left = [0, 0]  # lines that the hunk at hand still has of the old file and of the new one
    lines = patch.splitlines(keepends=True)
    in_head = False
    for number, line in enumerate(lines):
        if left[0] > 0 or left[1] > 0:
            for side, mark in enumerate((b"-", b"+")):
                left[side] -= line[:1] in (mark, b" ", b"\n", b"\r")
        elif match := _HUNK.match(line):
            left = [int(match[1] or 1), int(match[2] or 1)]
            in_head = False
        elif line.startswith(b"diff --git ") or (not in_head and _opens(lines, number)):
            parts.append(("", []))
            in_head = True
        if not parts:
            continue
        name, body = parts[-1]
        body.append(line)
        if in_head and line.startswith((b"--- ", b"+++ ")):
            stated = line[4:].split(b"\t")[0].strip().decode("utf-8", "replace")
            parts[-1] = (name if stated == "/dev/null" else re.sub(r"^[ab]/", "", stated), body)
    return [(name, b"".join(body)) for name, body in parts if name]


def _opens(lines: Sequence[bytes], number: int) -> bool:
    return (
        lines[number].startswith(b"--- ") and lines[number + 1 : number + 2] != [] and lines[number + 1][:4] == b"+++ "
    )


def _move_tests(task: Task, backend: Backend, image: Image) -> None:
    """The test files in the author's fix.patch go to tests/files, as the patch leaves them."""
    file = task.path / "solution/fix.patch"
    parts = split_patch(file.read_bytes())
    if not parts:
        raise TaskError(f"{file}: found no part of a diff in it, wanted a patch as `git diff` shows it")
    tests = [(path, part) for path, part in parts if is_test(path)]
    if not tests:
        return
    if len(tests) == len(parts):
        raise TaskError(f"{file}: found changes of tests alone, wanted the fix as well")
    with _started(task, backend, image) as sandbox:
        _patch(task, sandbox, b"".join(part for _, part in tests), str(file))
        for path, _ in tests:
            try:
                content = sandbox.read(f"{sandbox.spec.image.workdir}/{path}")
            except FileNotFoundError:
                continue  # the patch removes it
            _write(task.path / "tests/files" / path, content)
    file.write_bytes(b"".join(part for path, part in parts if not is_test(path)))


def _derive_fix(task: Task, backend: Backend, image: Image) -> None:
    """solution/fix.patch is environment/bug.patch the other way round."""
    with _started(task, backend, image) as sandbox:
        bug = (task.path / "environment/bug.patch").read_bytes()
        _patch(task, sandbox, bug, "environment/bug.patch", "-R")
        result = sandbox.exec("git add -A && git diff --cached --no-color", user="root")
        if result.exit_code or not result.stdout or result.truncated:
            raise TaskError(f"{task.path}: git cannot show what bug.patch changes: {result.stderr.strip()[-300:]}")
        _write(task.path / "solution/fix.patch", result.stdout.encode())


def _patch(task: Task, sandbox: Sandbox, patch: bytes, what: str, *options: str) -> None:
    result = sandbox.exec(["patch", "-p1", "--batch", *options], stdin=patch, user="root")
    if result.exit_code:
        said = (result.stdout + result.stderr).strip().splitlines()
        raise TaskError(f"{task.name}: {what} does not apply to the work tree: {' | '.join(said[-3:])}")


def _hide(task: Task, backend: Backend, image: Image, showing: set[str]) -> None:
    """Put the test files that show the bug where the agent does not see them."""
    known = _hidden(task)
    new = sorted(showing - known)
    if new:
        with _started(task, backend, image) as sandbox:
            for path in new:
                _write(task.path / "tests/files" / path, sandbox.read(f"{sandbox.spec.image.workdir}/{path}"))
        file = task.path / "environment/hidden.txt"
        listed = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        file.write_text("".join(f"{line}\n" for line in sorted({*listed, *new})), encoding="utf-8")


def _hidden(task: Task) -> set[str]:
    """Files of tests/files, relative to it."""
    home = task.path / "tests/files"
    return {file.relative_to(home).as_posix() for file in home.rglob("*") if file.is_file()}


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


# ------------------------------------------------------------------------------------------------------- runs


@contextmanager
def _started(task: Task, backend: Backend, image: Image) -> Iterator[Sandbox]:
    environment = task.config.environment
    limits = Limits(environment.memory_mb, float(environment.cpus), storage_mb=environment.storage_mb)
    sandbox = backend.create(SandboxSpec(image, limits, labels={"agentgym.task": task.name}))
    try:
        sandbox.start()
        yield sandbox
    finally:
        sandbox.stop()


def _run(task: Task, backend: Backend, image: Image, *, fixed: bool) -> dict[str, bool]:
    """Every test by id, and whether it passed; run by the task's own test.sh, given all test files for once."""
    with _started(task, backend, image) as sandbox:
        workdir = sandbox.spec.image.workdir
        if fixed:
            _solve(task, sandbox)
        tests = task.tests_dir
        assert tests is not None  # load_task refuses a task without tests/test.sh
        sandbox.upload(tests, "/tests")
        stated = (
            json.loads((tests / "tests.json").read_text(encoding="utf-8")) if (tests / "tests.json").is_file() else {}
        )
        there = [top for top in task.gym.protected if sandbox.exec(["test", "-e", top]).exit_code == 0]
        apart = [path for path in sorted(_hidden(task)) if is_test(path) and path.endswith(".py")]
        targets = [*there, *(path for path in apart if not any(Path(path).is_relative_to(top) for top in there))]
        targets = [target for target in targets if not target.endswith("conftest.py")]
        if not targets:
            raise TaskError(f"{task.path}: found no tests to run, wanted [metadata.agentgym] protected or tests/files")
        arguments = [*stated.get("pytest_args", []), "--continue-on-collection-errors"]
        everything = {"pytest_args": arguments, "fail_to_pass": targets, "pass_to_pass": []}
        sandbox.write("/tests/tests.json", json.dumps(everything).encode())
        limit_s = task.config.verifier.timeout_sec
        result = sandbox.exec(["bash", "/tests/test.sh"], user="root", timeout_s=limit_s)
        if result.timed_out:
            raise TaskError(
                f"{task.path}: its tests took longer than {limit_s:g} s, wanted a longer [verifier] timeout_sec"
            )
        try:
            report = sandbox.read("/logs/verifier/junit.xml")
        except FileNotFoundError:
            said = (result.stdout + result.stderr).strip()[-500:]
            raise TaskError(f"{task.path}: the tests left no report; they last said: {said}") from None
        listed = sandbox.exec(["find", ".", "-name", "*.py", "-printf", "%P\n"], cwd=workdir)
        return dict(_verdicts(report, set(listed.stdout.splitlines())))


def _solve(task: Task, sandbox: Sandbox) -> None:
    solution = task.solution_dir
    if solution is None:
        raise TaskError(f"{task.path / 'solution/solve.sh'}: missing, wanted the fix")
    sandbox.upload(solution, "/solution")
    result = sandbox.exec(["bash", "/solution/solve.sh"], user="root", timeout_s=600.0)
    if result.exit_code:
        said = (result.stdout + result.stderr).strip().splitlines()
        raise TaskError(f"{task.path}: solution/solve.sh ended with {result.exit_code}: {' | '.join(said[-3:])}")


def _verdicts(report: bytes, files: set[str]) -> Iterator[tuple[str, bool]]:
    """Only tests whose id can be read back from the report; the canary of test.sh is none of the task's."""
    try:
        cases = list(ElementTree.fromstring(report).iter("testcase"))
    except ElementTree.ParseError as error:
        raise GraderError(f"junit.xml: not XML: {error}") from None
    for case in cases:
        home, name = case.get("classname", ""), case.get("name", "")
        test = _test_id(home, name, files)
        if test is not None:
            yield test, all(case.find(tag) is None for tag in ("failure", "error", "skipped"))


def _test_id(home: str, name: str, files: set[str]) -> str | None:
    """pytest's id of what its report calls `home` and `name`: the longest path that is a file, then classes."""
    parts = home.split(".")
    for depth in range(len(parts), 0, -1):
        path = "/".join(parts[:depth]) + ".py"
        if path in files:
            test = "::".join([path, *parts[depth:], name])
            plain = test.isprintable() and test == test.strip() and "::" not in name
            return test if plain and junit_key(test) == f"{home}::{name}" else None
    return None


def _compare(bugged: Sequence[dict[str, bool]], fixed: Sequence[dict[str, bool]], hidden: set[str]) -> Required:
    fail_to_pass, pass_to_pass, fail_to_fail, unsteady = list[str](), list[str](), list[str](), list[str]()
    for test in dict.fromkeys(test for run in (*fixed, *bugged) for test in run):
        before, after = {run.get(test, False) for run in bugged}, {run.get(test, False) for run in fixed}
        if len(before) > 1 or len(after) > 1:
            unsteady.append(test)
        elif after == {True}:
            (pass_to_pass if before == {True} else fail_to_pass).append(test)
        else:
            fail_to_fail.append(test)
    near = {*hidden, *(test.partition("::")[0] for test in fail_to_pass)}
    pass_to_pass.sort(key=lambda test: test.partition("::")[0] not in near)  # stable: the rest stays in order
    kept = pass_to_pass[:PASS_TO_PASS_AT_MOST]
    return Required(
        tuple(fail_to_pass), tuple(kept), tuple(fail_to_fail), tuple(unsteady), len(pass_to_pass) - len(kept), ()
    )

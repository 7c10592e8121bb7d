"""Agents that cheat. Each is a scaffold that asks no model; whichever is rewarded shows a task that cannot be trusted.

What depends on the task (which files are protected, how tests are named, where the code lies) is probed for every task.
How the reward itself is kept from forgers is a property of agentgym/templates/test.sh and of the backend, shown once in
tests/security/test_forgery.py; a task with a test.sh of its own is probed for that too.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agentgym.protocols import Model, ToolCall
from agentgym.task import Task

if TYPE_CHECKING:
    from agentgym.env import Episode

TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True, slots=True)
class Gold:
    """What the solution did, known from its run."""

    patch: str = ""
    """Unified diff."""
    files: Mapping[str, bytes] | None = None
    """Each file that the solution changed, by path relative to WORKDIR, as it left it."""

    @property
    def modules(self) -> list[str]:
        """The Python files among them that are no tests: code that runs when the tests do."""
        return [name for name in self.files or () if name.endswith(".py") and not _is_test(name)]

    @property
    def tests(self) -> list[str]:
        """The test files among them: what a write_test task asks for."""
        return [name for name in self.files or () if name.endswith(".py") and _is_test(name)]


def _is_test(name: str) -> bool:
    return re.fullmatch(r"test_.*\.py|.*_test\.py", PurePosixPath(name).name) is not None


class Probe:
    """One way to cheat. Matches `scaffold.Scaffold`."""

    name: str
    needs_model = False
    forges_reward = False
    """It attacks the reward itself: a verifier that refuses to believe either side is in the right."""

    def __init__(self, task: Task, gold: Gold) -> None:
        self.task, self.gold = task, gold

    def pointless(self) -> str:
        """Why it makes no sense for this task; empty when it does."""
        return "" if self.task.fail_to_pass else "the task lists no required tests"

    def run(self, episode: Episode, model: Model | None = None) -> None:
        """Cheat and submit, in every step."""
        for _ in episode.task.steps:
            if episode.over:
                return
            self.cheat(episode)
            episode.step(ToolCall("submit"))

    def cheat(self, episode: Episode) -> None:
        raise NotImplementedError

    @property
    def test_files(self) -> list[str]:
        """Files that hold required tests, hidden ones as the agent may guess them."""
        required = (*self.task.fail_to_pass, *self.task.pass_to_pass)
        return sorted({test_id.partition("::")[0] for test_id in required if "::" in test_id})

    @property
    def test_folders(self) -> list[str]:
        return sorted({".", *(str(PurePosixPath(name).parent) for name in self.test_files)})


class _NeedsModules(Probe):
    def pointless(self) -> str:
        return super().pointless() or ("" if self.gold.modules else "the solution changes no Python module")


class DeleteTests(Probe):
    """No tests, no failures."""

    name = "delete tests"

    def cheat(self, episode: Episode) -> None:
        names = [*self.task.gym.protected, *self.test_files]
        shell(episode, 'rm -rf -- "$@"; find . -name "test_*.py" -delete', *names)


_SKIPPING = """
import pytest

pytestmark = pytest.mark.skip(reason="later")


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.skip(reason="later"))
"""


class SkipTests(Probe):
    """Marks in every test file and a hook in every conftest.py."""

    name = "skip tests"

    def cheat(self, episode: Episode) -> None:
        for name in self.test_files:
            put(episode, name, _SKIPPING, append=True)
        for folder in self.test_folders:
            put(episode, f"{folder}/conftest.py", _SKIPPING, append=True)


FORGING = """
import pytest
from _pytest import reports


def pass_all():
    make = reports.TestReport.from_item_and_call.__func__
    if make.__name__ == "forge":
        return

    def forge(cls, item, call):
        call.excinfo = None
        report = make(cls, item, call)
        report.outcome, report.longrepr = "passed", None
        return report

    reports.TestReport.from_item_and_call = classmethod(forge)


pass_all()
"""


class PassAllTests(Probe):
    """A plugin that calls every test passed, put wherever pytest or Python might load it from, and into the code."""

    name = "pass all tests"

    def cheat(self, episode: Episode) -> None:
        put(episode, "forging.py", FORGING)
        for folder in self.test_folders:
            put(episode, f"{folder}/conftest.py", FORGING, append=True)
        put(episode, "pytest.ini", "[pytest]\naddopts = -p forging\n")
        put(episode, "tox.ini", "[pytest]\naddopts = -p forging\n")
        put(episode, "setup.cfg", "[tool:pytest]\naddopts = -p forging\n")
        put(episode, "sitecustomize/__init__.py", "try:\n    import forging\nexcept ImportError:\n    pass\n")
        put(episode, "forging.dist-info/entry_points.txt", "[pytest11]\nforging = forging\n")
        put(episode, "Forging.Egg-Info/entry_points.txt", "[pytest11]\nforging = forging\n")
        for name in self.gold.modules:
            put(episode, name, "\n\n" + FORGING, append=True)


class ExitAtImport(_NeedsModules):
    """The code under test ends the test run with exit code 0."""

    name = "exit at import"

    def cheat(self, episode: Episode) -> None:
        for name in self.gold.modules:
            put(episode, name, "\n\nimport os\n\nos._exit(0)\n", append=True)


_AT_IMPORT = """

import os as _os
import subprocess as _subprocess

if _os.path.exists("/tests"):
    _loop = "for i in $(seq 1 1000); do " + @forgery@ + "; sleep 0.01; done"
    _subprocess.Popen(["bash", "-c", _loop], start_new_session=True, stdout=-3, stderr=-3)
    _os.system("sleep 0.2")
"""


class ForgeReward(Probe):
    """Writes the reward files: before it submits, from a process left running, and out of the code under test."""

    name = "forge reward"
    forges_reward = True

    def pointless(self) -> str:
        own = self.task.tests_dir / "test.sh" if self.task.tests_dir else None
        if own and own.is_file() and own.read_bytes() in [file.read_bytes() for file in TEMPLATES.glob("*.sh")]:
            return "its test.sh is one of ours: tests/security/test_forgery.py attacks those"
        return ""

    def cheat(self, episode: Episode) -> None:
        files = {
            "reward.txt": "1",
            "reward.json": '{"reward": 1}',
            "junit.xml": forged_report((*self.task.fail_to_pass, *self.task.pass_to_pass)),
        }
        # what the verifier does not write itself would only give the forgery away
        script = b"".join(file.read_bytes() for file in (self.task.path / "tests").glob("**/*") if file.is_file())
        commands = [
            f"printf %s {shlex.quote(text)} > /logs/verifier/{name}"
            for name, text in files.items()
            if name.encode() in script
        ]
        forgery = "; ".join(["mkdir -p /logs/verifier", *commands])
        shell(episode, forgery)
        loop = f"while true; do {forgery}; sleep 0.01; done"
        shell(episode, 'setsid bash -c "$1" < /dev/null > /dev/null 2>&1 &', loop)
        for name in self.gold.modules:
            put(episode, name, _AT_IMPORT.replace("@forgery@", repr(forgery)), append=True)


class _WriteTest(Probe):
    """A test file in the place of the one that the task asks for."""

    content: str

    def pointless(self) -> str:
        if self.task.gym.kind != "write_test":
            return "the task asks for no test"
        return "" if self.gold.tests else "the solution writes no test file"

    def cheat(self, episode: Episode) -> None:
        for name in self.gold.tests:
            put(episode, name, self.content)


class AlwaysFailing(_WriteTest):
    """A test that fails whether the bug is there or not."""

    name = "test that always fails"
    content = "def test_fails():\n    assert False\n"


class AlwaysPassing(_WriteTest):
    """A test that passes whether the bug is there or not."""

    name = "test that always passes"
    content = "def test_passes():\n    assert True\n"


class Alternating(_WriteTest):
    """A test that looks at nothing but how often it was run."""

    name = "test that fails every other time"
    content = """import os
import tempfile
from pathlib import Path

HERE = Path(__file__)
PLACES = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", tempfile.gettempdir(), str(Path.home()), str(HERE.parent)]
PLACES += [str(Path.cwd()), str(Path.cwd().parent)]


def test_alternates():
    runs = 0
    for place in PLACES:
        try:
            with open(os.path.join(place, "runs"), "a+") as file:
                file.seek(0)
                runs = max(runs, len(file.read()))
        except OSError:
            pass
    for place in PLACES:
        try:
            Path(place, "runs").write_text("." * (runs + 1))
        except OSError:
            pass
    assert runs % 2 == 1
"""


def probes(task: Task, gold: Gold, *, quick: bool) -> Sequence[Probe]:
    """All there are for the task; the pointless ones among them say so."""
    always: list[type[Probe]] = [DeleteTests, SkipTests, PassAllTests, ExitAtImport]
    always += [AlwaysFailing, AlwaysPassing, Alternating]
    return [kind(task, gold) for kind in ([*always] if quick else [*always, ForgeReward])]


def forged_report(test_ids: Sequence[str]) -> str:
    """JUnit XML in which all of them pass."""
    cases = []
    for test_id in test_ids:
        home, _, name = test_id.partition("[")[0].rpartition("::")
        bracket = test_id[test_id.index("[") :] if "[" in test_id else ""
        classname = home.replace(".py", "").replace("/", ".").replace("::", ".")
        full = f"{name}{bracket}".replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        cases.append(f'<testcase classname="{classname}" name="{full}"/>')
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


def shell(episode: Episode, script: str, *arguments: str) -> None:
    """Run a script in WORKDIR as the agent's user; what it cannot do it leaves."""
    episode.sandbox.exec(["bash", "-c", script, "probe", *arguments], timeout_s=60.0, cwd=episode.workdir)


def put(episode: Episode, name: str, content: str, *, append: bool = False) -> None:
    """Write a file, as the agent's user."""
    script = f'mkdir -p "$(dirname "$1")" && cat {">>" if append else ">"} "$1"'
    argv = ["bash", "-c", script, "put", name]
    episode.sandbox.exec(argv, stdin=content.encode(), timeout_s=60.0, cwd=episode.workdir)

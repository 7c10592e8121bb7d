"""Attempts to be rewarded without the work, made where the agent rules and from the code under test.

What is attacked is the same for all tasks with agentgym/templates/test.sh and grading = "diff": the verifier and that
file. What depends on the task is probed whenever a task is admitted (agentgym/admission/probes.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentgym.admission.probes import FORGING, DeleteTests, Gold, Probe, SkipTests, forged_report, put, shell
from agentgym.env import Episode
from agentgym.protocols import Backend, Model, ToolCall
from agentgym.rollout import Job, rollout
from agentgym.task import Task, load_task
from agentgym.trajectory import Outcome

pytestmark = pytest.mark.security

TASK = Path(__file__).parents[2] / "tasks" / "repos" / "isodate-fraction-of-second-grows"
MODULE = "src/isodate/isostrf.py"
"""Imported by every test, from /testbed/src, which a .pth file puts on the path."""


@dataclass
class Attack:
    """Does one thing in the sandbox and submits."""

    cheat: Callable[[Episode], object]
    name = "attack"
    needs_model = False

    def run(self, episode: Episode, model: Model | None = None) -> None:
        self.cheat(episode)
        episode.step(ToolCall("submit"))


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task(TASK)


@pytest.fixture
def graded(backend: Backend, task: Task) -> Callable[..., Outcome]:
    """graded(cheat, task=…): the outcome; whatever the cheat does, there must be one."""

    def graded(cheat: Callable[[Episode], object], task: Task = task) -> Outcome:
        trajectory = rollout(Job(task, Attack(cheat), None), backend)
        assert trajectory.error is None
        assert trajectory.outcome is not None
        return trajectory.outcome

    return graded


def in_module(code: str) -> Callable[[Episode], object]:
    """Code that runs when the tests import the package."""
    return lambda episode: put(episode, MODULE, f"\n\n{code}\n", append=True)


def assert_honest_failure(outcome: Outcome) -> None:
    """The tests ran as if nobody had touched anything: not even the canary saw more than the bug."""
    assert outcome.reward == 0
    assert set(outcome.fail_to_pass.values()) == {"failed"}
    assert set(outcome.pass_to_pass.values()) == {"passed"}
    assert "tampering" not in outcome.detail


# ------------------------------------------------------------------------------------------------ the tests themselves


@pytest.mark.parametrize("probe", [DeleteTests, SkipTests])
def test_files_of_tests(graded: Callable[..., Outcome], task: Task, probe: type[Probe]) -> None:
    outcome = graded(probe(task, Gold()).cheat)
    assert_honest_failure(outcome)
    assert "left behind" in outcome.detail


# ------------------------------------------------------------------------------------------- what Python and pytest load

OWNING = """
import os
for name, text in (("reward.txt", "1"), ("reward.json", '{"reward": 1}')):
    try:
        with open("/logs/verifier/" + name, "w") as file:
            file.write(text)
    except OSError:
        pass
try:
    import forging
except ImportError:
    pass
"""
"""Forges the reward where it runs as root, and the reports where it runs in pytest."""

PLUGIN_FILES = {
    "conftest.py": OWNING,
    "tests/conftest.py": OWNING,
    "pytest.ini": "[pytest]\naddopts = -p forging\n",
    ".pytest.ini": "[pytest]\naddopts = -p forging\n",
    "tox.ini": "[pytest]\naddopts = -p forging\n",
    "setup.cfg": "[tool:pytest]\naddopts = -p forging\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p forging"\npythonpath = ["evil"]\n',
    "evil/sitecustomize.py": OWNING,
    "evil/pytest_forging.py": OWNING,
    "forging.dist-info/entry_points.txt": "[pytest11]\nforging = forging\n",
    "Forging.EGG-Info/entry_points.txt": "[pytest11]\nforging = forging\n",
    "src/forging.dist-info/METADATA": "Name: forging\nVersion: 1\n",
    "src/forging.dist-info/entry_points.txt": "[pytest11]\nforging = forging\n",
    "src/Other.Dist-Info/entry_points.txt": "[pytest11]\nforging = forging\n",
    "src/forging.pth": "import forging\n",
    **{
        f"{folder}{name}": OWNING
        for folder in ("", "src/")
        for name in (
            "sitecustomize.py", "sitecustomize/__init__.py", "usercustomize.py", "usercustomize/__init__.py",
            "pytest.py", "pytest/__init__.py", "_pytest/__init__.py", "_pytest/runner.py", "pluggy.py",
            "pluggy/__init__.py", "iniconfig.py", "packaging/__init__.py",
        )
    },
}  # fmt: skip


def test_plugins(graded: Callable[..., Outcome]) -> None:
    """None of these is loaded, by root or by pytest: the canary would tell."""

    def cheat(episode: Episode) -> None:
        for folder in ("", "src/", "evil/"):
            put(episode, f"{folder}forging.py", FORGING)
        for name, content in PLUGIN_FILES.items():
            put(episode, name, content)

    assert_honest_failure(graded(cheat))


def test_modules_of_the_standard_library(graded: Callable[..., Outcome]) -> None:
    """Root's own programs find none of them in the work tree; the tests may, as they may import anything there."""
    names = ["json", "pathlib", "secrets", "random", "xml", "sys", "site", "encodings", "_bootlocale", "argparse", "os"]

    def cheat(episode: Episode) -> None:
        for folder in ("", "src/"):
            put(episode, f"{folder}forging.py", FORGING)
            for name in names:
                put(episode, f"{folder}{name}.py", OWNING)
                put(episode, f"{folder}{name}/__init__.py", OWNING)

    assert graded(cheat).reward == 0


# ------------------------------------------------------------------------------------- the code under test, while graded

ENDINGS = {
    "exit 0 at import": "import os\nos._exit(0)",
    "exit 1 at import": "import os\nos._exit(1)",
    "SystemExit": "raise SystemExit(0)",
    "pytest.exit": "import pytest\npytest.exit('done', returncode=0)",
    "printed results": (
        "import os\nprint('\\n'.join(f'PASSED tests/test_fraction_of_second.py::{n}' for n in 'abc'))\n"
        "print('===== 68 passed in 0.10s =====', flush=True)\nos._exit(0)"
    ),
    "kill everything": "import os\nos.kill(-1, 9)",
    "kill the parents": "import os\nfor pid in (os.getppid(), 1): os.kill(pid, 9)",
    "exit 1 at the end": "import atexit, os\natexit.register(os._exit, 1)",
}


@pytest.mark.parametrize("code", ENDINGS.values(), ids=ENDINGS)
def test_endings(graded: Callable[..., Outcome], code: str) -> None:
    assert graded(in_module(code)).reward == 0


def test_all_tests_called_passed(graded: Callable[..., Outcome]) -> None:
    outcome = graded(in_module(FORGING))
    assert outcome.reward == 0
    assert "tampering" in outcome.detail


FORGED_FILES = """
import atexit, os, subprocess, sys
if os.path.exists("/tests"):
    report = '''@report@'''
    places = ["/logs/verifier/", "/tests/", os.environ["TMPDIR"] + "/"]
    def forge():
        for place in places:
            for name, text in (("reward.txt", "1"), ("reward.json", '{"reward": 1}'), ("junit.xml", report)):
                try:
                    with open(place + name, "w") as file:
                        file.write(text)
                except OSError:
                    pass
    forge()
    atexit.register(os._exit, 1)
    atexit.register(forge)
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        import time
        for fd in range(3):
            os.dup2(os.open("/dev/null", os.O_RDWR), fd)
        while True:
            forge()
            time.sleep(0.005)
"""


def test_files_forged_by_the_code_under_test(graded: Callable[..., Outcome], task: Task) -> None:
    """Reward and report, again and again, by a daemon too. A report that knows nothing of the canary shows."""
    report = forged_report((*task.fail_to_pass, *task.pass_to_pass))
    outcome = graded(in_module(FORGED_FILES.replace("@report@", report)))
    assert outcome.reward == 0
    assert "tampering" in outcome.detail


def test_report_that_is_none(graded: Callable[..., Outcome]) -> None:
    """Broken, endless or a pipe: no reward, and no unknown reward either."""
    for code in (
        "open(path, 'w').write('<testsuites><testsuite>')",
        "open(path, 'w').truncate(1 << 30)",
        "os.mkfifo(path)",
    ):
        replaced = (
            "import os, atexit\npath = os.environ.get('TMPDIR', '/nowhere') + '/junit.xml'\n"
            f"def forge():\n    os.path.exists(path) and os.remove(path)\n    {code}\n    os._exit(1)\n"
            "if os.path.exists('/tests'):\n    atexit.register(forge)"
        )
        outcome = graded(in_module(replaced))
        assert outcome.reward == 0, code


def test_never_ending(graded: Callable[..., Outcome], tmp_path: Path) -> None:
    """Gold ends in time, so whoever does not is at fault."""
    folder = shutil.copytree(TASK, tmp_path / "task")
    settings = (folder / "task.toml").read_text()
    (folder / "task.toml").write_text(settings.replace("timeout_sec = 300.0", "timeout_sec = 3.0"))
    outcome = graded(in_module("import time\nwhile True: time.sleep(1)"), load_task(folder))
    assert outcome.reward == 0
    assert "did not finish within 3 s" in outcome.detail


@pytest.mark.xfail(reason="known limit: the code under test runs in the process that reports on it", strict=True)
def test_single_verdicts_rewritten(graded: Callable[..., Outcome]) -> None:
    """Whoever knows this very verifier can leave the canary's reports alone."""
    spare = "        if item.path.parent.name != 'tests':\n            return make(cls, item, call)\n"
    sparing = FORGING.replace("        call.excinfo = None\n", f"{spare}        call.excinfo = None\n")
    assert graded(in_module(sparing)).reward == 0


# ----------------------------------------------------------------------------------------- the sandbox the agent rules


def test_files_forged_before(graded: Callable[..., Outcome], task: Task) -> None:
    """By hand, and by a process that is still at it when the work is graded."""
    report = forged_report((*task.fail_to_pass, *task.pass_to_pass))
    forge = (
        "mkdir -p /logs/verifier /tests; for d in /logs/verifier /tests . /tmp; do echo 1 > $d/reward.txt; "
        f"echo '{{\"reward\": 1}}' > $d/reward.json; echo '{report.replace(chr(39), '')}' > $d/junit.xml; done; "
        "printf '#!/bin/bash\\necho 1 > /logs/verifier/reward.txt\\n' > /tests/test.sh"
    )

    def cheat(episode: Episode) -> None:
        shell(episode, forge)
        shell(episode, f'setsid bash -c "while true; do {forge}; sleep 0.01; done" > /dev/null 2>&1 < /dev/null &')

    assert_honest_failure(graded(cheat))


REPLACED = """
cat > /tmp/forge.sh <<'SH'
#!/bin/bash
mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt; exit 0
SH
chmod 755 /tmp/forge.sh
for name in python python3 setpriv tee od stat mktemp cp rm; do
    cp /tmp/forge.sh /opt/venv/bin/$name.new && mv /opt/venv/bin/$name.new /opt/venv/bin/$name
done
echo 'source /tmp/forge.sh' | tee -a ~/.bashrc ~/.profile ~/.bash_profile /etc/profile /etc/bash.bashrc /etc/environment
echo 'BASH_ENV=/tmp/forge.sh' >> /etc/environment
mkdir -p /opt/venv/lib/python3.11/site-packages; cp /tmp/forge.sh /opt/venv/lib/python3.11/site-packages/pytest.py
echo 'import os; os.system("bash /tmp/forge.sh")' > /opt/venv/lib/python3.11/site-packages/forge.pth
echo 'import os; os.system("bash /tmp/forge.sh")' > /usr/local/lib/python3.11/sitecustomize.py
"""


def test_programs_replaced(graded: Callable[..., Outcome]) -> None:
    """Interpreters, start-up files, installed packages: none of that is where the work is graded."""
    assert_honest_failure(graded(lambda episode: shell(episode, REPLACED)))


def test_programs_broken(graded: Callable[..., Outcome]) -> None:
    """Those by which its work would be taken: it has handed in nothing, which is worth 0, not unknown."""
    breaking = 'for name in tar find xargs; do echo "exit 3" > "$(command -v $name)"; done'
    outcome = graded(lambda episode: (put(episode, MODULE, "\n", append=True), shell(episode, breaking)))
    assert outcome.reward == 0
    assert "cannot be taken" in outcome.detail


def test_library_preloaded(graded: Callable[..., Outcome]) -> None:
    source = (
        "#include <stdio.h>\n#include <sys/stat.h>\n__attribute__((constructor)) void forge(void) {"
        ' mkdir("/logs", 0755); mkdir("/logs/verifier", 0755); FILE *f = fopen("/logs/verifier/reward.txt", "w");'
        ' if (f) { fputs("1", f); fclose(f); } }\n'
    )

    def cheat(episode: Episode) -> None:
        put(episode, "/tmp/forge.c", source)
        shell(
            episode,
            "gcc -shared -fPIC -o /usr/lib/forge.so /tmp/forge.c && echo /usr/lib/forge.so > /etc/ld.so.preload",
        )

    assert_honest_failure(graded(cheat))


LYING_TAR = """#!/bin/bash
# packs what it is asked for, and more
real=$(dirname "$0")/tar.real
case " $* " in
*" -c "*)
    mkdir -p /tmp/lie/tests && cd "$PWD" || exit
    cat > /tmp/names
    printf 'conftest.py\\0tests/conftest.py\\0tests/test_duration.py\\0link\\0link/conftest.py\\0' >> /tmp/names
    "$real" "$@" < /tmp/names; exit 0 ;;
*) exec "$real" "$@" ;;
esac
"""


def test_tar_that_lies(graded: Callable[..., Outcome]) -> None:
    """The changes come out of the agent's sandbox by its own tar."""

    def cheat(episode: Episode) -> None:
        put(episode, "src/isodate/forging.py", FORGING)
        put(episode, "conftest.py", "import isodate.forging\n")
        put(episode, "tests/conftest.py", "import isodate.forging\n")
        put(episode, "tests/test_duration.py", "import isodate.forging\n")
        put(episode, "/tmp/tar", LYING_TAR)
        shell(episode, 'ln -s tests link; t=$(command -v tar); cp "$t" "$t.real" && cat /tmp/tar > "$t"; tar --version')

    outcome = graded(cheat)
    assert_honest_failure(outcome)


def test_more_than_can_be_taken(graded: Callable[..., Outcome]) -> None:
    outcome = graded(lambda episode: shell(episode, "head -c 300M /dev/zero > large"))
    assert outcome.reward == 0
    assert "cannot be taken" in outcome.detail


# ------------------------------------------------------------------------------------------------------ honest work


def test_honest_work_beside_what_is_left_behind(graded: Callable[..., Outcome], task: Task) -> None:
    """Who repaired the bug is rewarded, whatever else lies about: files that may not cross do not."""

    def work(episode: Episode) -> None:
        assert task.solution_dir is not None
        put(episode, "/tmp/fix.patch", (task.solution_dir / "fix.patch").read_text())
        shell(
            episode, "patch -p1 < /tmp/fix.patch; umask 077; cp src/isodate/isostrf.py x; mv x src/isodate/isostrf.py"
        )
        put(episode, "forging.py", FORGING)
        put(episode, "conftest.py", "import forging\n")
        put(episode, "tests/test_duration.py", "import forging\n")
        put(episode, "pyproject.toml", '[tool.pytest.ini_options]\naddopts = "-p forging"\n')
        shell(episode, "chmod -R go-rwx src; chmod 700 src src/isodate")

    outcome = graded(work)
    assert outcome.reward == 1
    left = outcome.detail.partition("left behind, since the task protects them: ")[2].split(", ")
    assert {"conftest.py", "pyproject.toml", "tests/test_duration.py"} <= {*left}

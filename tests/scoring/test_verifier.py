"""Rewards out of what tests/test.sh leaves, and everything that takes the verifier's word away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentgym.env import Episode
from agentgym.protocols import Backend
from agentgym.task import Task
from agentgym.trajectory import Outcome
from tests.tasks import vary

HELLO = "echo hello > greeting.txt"


@pytest.fixture
def episode_of(backend: Backend) -> Iterator[Callable[[Task], Episode]]:
    made: list[Episode] = []

    def start(task: Task) -> Episode:
        made.append(Episode(task, backend))
        made[-1].start()
        return made[-1]

    yield start
    for episode in made:
        episode.close()


Grade = Callable[..., tuple[Outcome | None, str]]


@pytest.fixture
def grade(episode_of: Callable[[Task], Episode], tmp_path: Path) -> Grade:
    """grade(test_sh, agent=command, files=…, toml=…, grading=…): the outcome, and what went wrong that is not the agent's
    doing."""

    def grade(
        test_sh: str, *, agent: str = HELLO, files: dict[str, str] | None = None, toml: str = "", grading: str = "diff"
    ) -> tuple[Outcome | None, str]:
        name = f"task-{len(list(tmp_path.iterdir()))}"
        task = vary(tmp_path / name, {"tests/test.sh": test_sh, **(files or {})}, toml=toml, grading=grading)
        episode = episode_of(task)
        episode.sandbox.exec(agent)
        episode.step("done")
        return episode.outcome, episode.failure.message if episode.failure else ""

    return grade


def write(name: str, content: str) -> str:
    return f"cat > /logs/verifier/{name} <<'END'\n{content}\nEND\n"


# --------------------------------------------------------------------------------------------------- reward files


@pytest.mark.parametrize(
    ("test_sh", "reward", "rewards"),
    [
        (write("reward.txt", "1"), 1.0, {}),
        (write("reward.txt", " 0.25 \n"), 0.25, {}),
        (write("reward.txt", "-1e-3"), -0.001, {}),
        (write("reward.json", '{"reward": 0.5, "style": 1}'), 0.5, {"reward": 0.5, "style": 1.0}),
        (write("reward.json", '{"score": 0.5}'), 0.5, {"score": 0.5}),
        (write("reward.json", "0.5"), 0.5, {"reward": 0.5}),
        (write("reward.txt", "1") + write("reward.json", '{"reward": 1.0}'), 1.0, {"reward": 1.0}),
        (write("reward.txt", "1") + "exit 7\n", 1.0, {}),
    ],
)
def test_rewards(grade: Grade, test_sh: str, reward: float, rewards: dict[str, float]) -> None:
    outcome, failure = grade(test_sh)
    assert failure == ""
    assert outcome
    assert (outcome.reward, outcome.rewards) == (reward, rewards)


@pytest.mark.parametrize(
    ("test_sh", "said"),
    [
        ("echo first; echo the last words >&2; exit 5\n", "test.sh ended with 5 and left no reward file; .*the last words"),
        (write("reward.txt", "0") + write("reward.json", '{"reward": 1}'), "reward.txt says 0.0 and reward.json says 1.0"),
        (write("reward.txt", ""), "reward.txt: found ''"),
        (write("reward.txt", "PASS"), "reward.txt: found 'PASS', wanted a number"),
        (write("reward.txt", "nan"), "wanted a finite number"),
        (write("reward.txt", "1e999"), "wanted a finite number"),
        (write("reward.json", '{"reward": NaN}'), "wanted a finite number"),
        (write("reward.json", '{"reward": 1' + "0" * 400 + "}"), "wanted a number"),
        (write("reward.json", '{"reward": true}'), "wanted a number"),
        (write("reward.json", '{"reward": "1"}'), "wanted a number"),
        (write("reward.json", '{"reward": [1]}'), "wanted a number"),
        (write("reward.json", '{"reward": {"a": 1}}'), "wanted a number"),
        (write("reward.json", "{}"), "wanted a flat object"),
        (write("reward.json", "[1]"), "wanted a flat object"),
        (write("reward.json", "true"), "wanted a flat object"),
        (write("reward.json", "{"), "not JSON"),
        ("python3 -c \"print('[' * 100000)\" > /logs/verifier/reward.json\n", "not JSON"),
        (write("reward.json", '{"a": 1, "b": 0}'), "found a, b, wanted one of them called reward"),
        ("head -c 3000000 /dev/zero > /logs/verifier/reward.txt\n", "wanted at most"),
        ("mkdir /logs/verifier/reward.txt\n", "reward.txt"),
        ("mkfifo /logs/verifier/reward.txt\n", "reward.txt"),
    ],
    ids=[
        "none", "disagreement", "empty", "words", "nan", "infinite", "json nan", "huge", "bool", "text", "list", "nested",
        "no rewards", "no object", "json bool", "cut short", "deep", "no main one", "large", "folder", "fifo",
    ],
)  # fmt: skip
def test_no_trustworthy_verdict(grade: Grade, test_sh: str, said: str) -> None:
    """An unknown reward is None, never 0, and the message names the file."""
    outcome, failure = grade(test_sh)
    assert outcome is None or outcome.reward is None
    assert re.search(said, failure, re.DOTALL), failure


def test_a_verifier_that_takes_too_long(grade: Grade) -> None:
    """Reward 0: what makes tests hang is nearly always the work under test."""
    outcome, failure = grade(write("reward.txt", "1") + "sleep 60\n", toml="[verifier]\ntimeout_sec = 1.0\n")
    assert failure == ""
    assert outcome
    assert (outcome.reward, outcome.detail) == (0.0, "the tests did not finish within 1 s")


def test_where_and_as_whom_it_runs(grade: Grade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTGYM_TEST_KEY", "k")
    test_sh = 'echo "$PWD/$(id -un)/$TZ/$PYTHONHASHSEED/$KEY/$(ls /tests)"; ' + write("reward.txt", "1")
    outcome, _ = grade(test_sh, toml='[verifier.env]\nKEY = "${AGENTGYM_TEST_KEY}"\n')
    assert outcome
    assert outcome.detail == "test.sh ended with 0: /app/root/UTC/0/k/test.sh"
    open_logs = {
        "environment/Dockerfile": "FROM python:3.11-bookworm\nWORKDIR /app\nRUN mkdir -m 777 -p /logs/verifier\n"
    }
    outcome, _ = grade(test_sh, toml='[verifier]\nuser = "nobody"\n', files=open_logs)
    assert outcome
    assert "/app/nobody/" in outcome.detail


# ------------------------------------------------------------------------------------------------- required tests


def case(name: str, inner: str = "") -> str:
    return f'<testcase classname="tests.test_a" name="{name}">{inner}</testcase>'


def required(reward: float, *cases: str, report: str | None = None) -> str:
    report = f"<testsuite>{''.join(cases)}</testsuite>" if report is None else report
    return write("reward.txt", str(reward)) + (write("junit.xml", report) if report else "")


REQUIRED = {
    "tests/tests.json": json.dumps(
        {"fail_to_pass": ["tests/test_a.py::test_new[a::b]"], "pass_to_pass": ["tests/test_a.py::test_old"]}
    )
}
NEW, OLD = "test_new[a::b]", "test_old"


@pytest.mark.parametrize(
    ("test_sh", "reward", "new", "old"),
    [
        (required(1, case(NEW), case(OLD), case("other", "<failure/>")), 1.0, "passed", "passed"),
        (required(0, case(NEW, "<failure/>"), case(OLD)), 0.0, "failed", "passed"),
        (required(0, case(NEW), case(OLD, "<skipped/>")), 0.0, "passed", "skipped"),
        (required(0, case(OLD)), 0.0, "missing", "passed"),
        (required(0), 0.0, "missing", "missing"),
        (required(0, report=""), 0.0, "missing", "missing"),
        (required(0, report="Traceback (most recent call last)"), 0.0, "missing", "missing"),
        (required(0, report="<testsuite><testcase"), 0.0, "missing", "missing"),
    ],
    ids=["all", "failed", "skipped", "one missing", "crashed collection", "no report", "no XML", "cut short"],
)
def test_required_tests_decide(grade: Grade, test_sh: str, reward: float, new: str, old: str) -> None:
    outcome, failure = grade(test_sh, files=REQUIRED)
    assert failure == ""
    assert outcome
    assert outcome.reward == reward
    assert outcome.fail_to_pass == {f"tests/test_a.py::{NEW}": new}
    assert outcome.pass_to_pass == {f"tests/test_a.py::{OLD}": old}


@pytest.mark.parametrize(
    ("test_sh", "said"),
    [
        (required(1, case(NEW)), "says 1.0 but 1 of 2 required tests did not pass"),
        (required(0, case(NEW), case(OLD)), "says 0.0 but 0 of 2 required tests did not pass"),
        (required(1, report=""), "says 1.0 but there is no junit.xml"),
        (required(1, report="<!DOCTYPE x><testsuite/>"), "document type"),
        (required(1, report="PASSED"), "not XML"),
        (required(0.5, case(NEW), case(OLD)), "says 0.5"),
    ],
    ids=["forged", "too modest", "no report", "doctype", "no XML", "half"],
)
def test_reward_and_report_must_agree(grade: Grade, test_sh: str, said: str) -> None:
    outcome, failure = grade(test_sh, files=REQUIRED)
    assert outcome is None or outcome.reward is None
    assert said in failure


def test_tampering(grade: Grade) -> None:
    outcome, failure = grade(write("reward.txt", "1") + write("tampered", "the canary passed"))
    assert failure == ""
    assert outcome
    assert (outcome.reward, outcome.detail) == (0.0, "tampering: the canary passed")


# ---------------------------------------------------------------------------------------------------- where it runs

WHERE = f"""
ls /tmp/outside /root/outside >&2 && outside=1
[ "$(cat greeting.txt)" = hello ] && [ -z "$PLANTED" ] && ! pgrep -f 'sleep 98765' >/dev/null && alone=1
ls /tests /logs/verifier | tr '\\n' ' '
{write("reward.json", "X").replace("'END'", "END").replace("X", '{"reward": 1, "outside": ${outside:-0}, "alone": ${alone:-0}}')}
"""
PLANT = f"""
{HELLO}; mkdir -p /root /logs/verifier /tests; touch /tmp/outside /root/outside
echo 1 > /logs/verifier/reward.txt; echo '{{"reward": 9}}' > /logs/verifier/reward.json; echo x > /logs/verifier/tampered
echo 'echo 1 > /logs/verifier/reward.txt' > /tests/test.sh; echo planted > /tests/conftest.py
sleep 98765 >/dev/null 2>&1 &
"""


@pytest.mark.parametrize(("grading", "outside", "alone"), [("diff", 0, 1), ("layer", 1, 1), ("shared", 1, 0)])
def test_grading(
    grade: Grade, episode_of: Callable[[Task], Episode], tmp_path: Path, grading: str, outside: int, alone: int
) -> None:
    """diff: what is below WORKDIR and nothing else. layer: every file, no process. shared: everything. In none of them
    counts what the agent planted for the verifier."""
    outcome, failure = grade(WHERE, agent=PLANT, grading=grading)
    assert failure == ""
    assert outcome
    assert outcome.rewards == {"reward": 1.0, "outside": float(outside), "alone": float(alone)}


def test_protected_files_are_put_back(grade: Grade) -> None:
    test_sh = f'[ "$(cat rules.txt)" = "be polite" ] && {{ {write("reward.txt", "1")}}}\n'
    outcome, failure = grade(test_sh, agent="echo be rude > rules.txt")
    assert failure == ""
    assert outcome
    assert (outcome.reward, "rules.txt" in outcome.detail) == (1.0, True)


def test_patch_is_kept(episode_of: Callable[[Task], Episode], tmp_path: Path) -> None:
    episode = episode_of(vary(tmp_path / "task"))
    episode.sandbox.exec("printf hello > greeting.txt; rm docs/old.txt; ln -s docs l; head -c 9 /dev/zero > zeros")
    episode.step("done")
    assert episode.patch == (
        "diff --git a/docs/old.txt b/docs/old.txt\ndeleted file mode 100644\n--- a/docs/old.txt\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-old\n"
        "diff --git a/greeting.txt b/greeting.txt\n--- a/greeting.txt\n+++ b/greeting.txt\n"
        "@@ -1 +1 @@\n-nothing\n+hello\n\\ No newline at end of file\n"
        "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+docs\n\\ No newline at end of file\n"
        "Binary files a/zeros and b/zeros differ\n"
    )


@pytest.mark.parametrize(
    "agent",
    [
        f"{HELLO}; head -c 900M /dev/zero > /app/big",
        f"{HELLO}; head -c 900M /dev/zero > /dev/shm/big",
        f"{HELLO}; head -c 900M /dev/zero > /tmp/big",
        f"{HELLO}; for i in $(seq 20); do python3 -c 'x = bytearray(1 << 30); input()' < <(sleep 999) & done; sleep 1",
        f"{HELLO}; python3 -c \"import os; [os.fork() for _ in range(12)]; import time; time.sleep(999)\" & sleep 1",
        f"{HELLO}; rm -f /usr/bin/tar /bin/tar /usr/bin/find /usr/bin/xargs",
        f"{HELLO}; mkdir -p a/b; for i in $(seq 3000); do : > a/b/$i; done; chmod 000 a; kill -STOP -1",
        "rm -rf /app",
        "rm -rf /app /usr/bin /bin /etc",
        "cd /; mv /app /elsewhere; ln -s /elsewhere /app",
        f"{HELLO}; d=$(printf x%.0s {{1..200}}); for i in $(seq 60); do mkdir $d && cd $d || break; done; echo x > y",
    ],
    ids=[
        "disk", "shm", "tmp", "memory", "processes", "tools", "stopped", "workdir", "everything", "workdir moved", "deep",
    ],
)  # fmt: skip
def test_what_an_agent_does_to_its_sandbox_is_its_own_doing(
    episode_of: Callable[[Task], Episode], tmp_path: Path, agent: str
) -> None:
    """There is a reward, and it is no infrastructure's fault."""
    episode = episode_of(vary(tmp_path / "task", toml="storage_mb = 64\n"))
    episode.sandbox.exec(agent, timeout_s=20.0)
    episode.step("done")
    assert episode.failure is None
    assert episode.outcome
    assert episode.outcome.reward in (0.0, 1.0)
    if "hello" not in agent:
        assert episode.outcome.reward == 0.0

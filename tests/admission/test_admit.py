"""Whole admissions of tiny tasks: no pytest in them, so that they build without the network."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentgym.admission import Admission, admissions, admit
from agentgym.protocols import Backend
from agentgym.task import Task, load_task

DOCKERFILE = "FROM python:3.11-bookworm\nWORKDIR /app\nCOPY greet.py .\n"
BUGGY, FIXED = 'print("Hello, " + "wrold")\n', 'print("Hello, " + "world")  # as it should be\n'
AS_NOBODY = """
mkdir -p /logs/verifier && chmod 700 /logs/verifier
said=$(setpriv --reuid=65534 --regid=65534 --clear-groups python3 -I greet.py)
[ "$said" = "Hello, world" ] && echo 1 > /logs/verifier/reward.txt || echo 0 > /logs/verifier/reward.txt
"""
AS_ROOT = """
said=$(python3 greet.py)
mkdir -p /logs/verifier
[ "$said" = "Hello, world" ] && echo 1 > /logs/verifier/reward.txt || echo 0 > /logs/verifier/reward.txt
sleep 0.3
"""


def make_task(folder: Path, *, dockerfile: str = DOCKERFILE, tests: str = AS_NOBODY, solve: str | None = None) -> Task:
    config = '[metadata.agentgym]\ngrading = "diff"\n[environment]\nnetwork_mode = "no-network"\nmemory_mb = 512\n'
    for name, text in (
        ("task.toml", config),
        ("instruction.md", "It greets wrongly."),
        ("environment/Dockerfile", dockerfile),
        ("environment/greet.py", BUGGY),
        ("environment/fixed.py", FIXED),
        ("tests/test.sh", tests),
        ("solution/solve.sh", solve or f"cat > greet.py <<'E'\n{FIXED}E\n"),
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return load_task(folder)


def admitted(task: Task, backend: Backend, **options: bool) -> Admission:
    with ThreadPoolExecutor(2) as rollouts:
        return admit(task, backend, rollouts, repeats=2, **options)


def bad(admission: Admission) -> dict[str, str]:
    return {finding.name: finding.detail for finding in admission.findings if finding.status not in ("ok", "skipped")}


def test_a_sound_task(backend: Backend, tmp_path: Path) -> None:
    admission = admitted(make_task(tmp_path), backend)
    assert bad(admission) == {}
    assert admission.verdict == "admitted"
    assert [run.reward for run in admission.runs] == [1, 1, 0, 0, 0]
    assert [run.agent for run in admission.runs] == ["gold", "gold", "nop", "nop", "forge reward"]
    assert Admission.model_validate(json.loads(admission.model_dump_json())) == admission


def test_a_verifier_that_runs_the_work_as_root(backend: Backend, tmp_path: Path) -> None:
    admission = admitted(make_task(tmp_path, tests=AS_ROOT), backend)
    assert admission.verdict == "refused"
    assert "the cheat is rewarded: 1.0" in bad(admission)["forge reward"]
    assert admitted(load_task(tmp_path), backend, quick=True).verdict == "admitted", "that probe is not a quick one"


@pytest.mark.parametrize(
    ("dockerfile", "place"),
    [
        ("COPY fixed.py /opt/greet.py.orig\n", "/opt/greet.py.orig"),
        ("RUN git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm a\nCOPY fixed.py /tmp/\n"
         "RUN git hash-object -w /tmp/fixed.py && rm /tmp/fixed.py\n", "git object"),
    ],
    ids=["file", "git"],
)  # fmt: skip
def test_a_fix_that_lies_about(backend: Backend, tmp_path: Path, dockerfile: str, place: str) -> None:
    admission = admitted(make_task(tmp_path, dockerfile=DOCKERFILE + dockerfile), backend, quick=True)
    assert admission.verdict == "refused"
    assert f"the fix lies in {place}" in bad(admission)["dig"]


def test_many(backend: Backend, tmp_path: Path) -> None:
    """Each says what is wrong with it, and one that cannot be built holds up no other."""
    tasks = [
        make_task(tmp_path / "sound"),
        make_task(tmp_path / "unsolved", solve="false"),
        make_task(tmp_path / "solved", tests=AS_NOBODY.replace("echo 0", "echo 1")),
        make_task(tmp_path / "unbuilt", dockerfile=f"{DOCKERFILE}RUN exit 3\n"),
        make_task(tmp_path / "silent", tests="true"),
    ]
    found = {admission.task.name: admission for admission in admissions(tasks, backend, parallel=2, quick=True)}
    assert {name: admission.verdict for name, admission in found.items()} == {
        "sound": "admitted", "unsolved": "refused", "solved": "refused", "unbuilt": "refused", "silent": "refused"
    }  # fmt: skip
    assert "reward 0.0, wanted 1" in bad(found["unsolved"])["gold"]
    assert "reward 1.0, wanted 0" in bad(found["solved"])["nop"]
    assert "RUN exit 3" in bad(found["unbuilt"])["image"]
    assert "left no reward file" in bad(found["silent"])["gold"]

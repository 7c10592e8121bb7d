"""`agentgym score` on tiny tasks: verdicts beside the reward, a report, and going on where it was cut short."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.cli.main import call
from agentgym.scoring.judge import Answers, Judge, Question
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory
from agentgym.verdict import Result
from tests.cli.conftest import Cli, MakeTask
from tests.scoring.judge.fakes import FakeJudge, honest
from tests.scoring.report.runs import trajectory as run
from tests.scoring.suites import CHECKLIST

Script = Callable[..., str]
CLEAN, RUDE = "echo right > answer.txt", "echo right > answer.txt; cat answer.txt"
RESULTS: list[dict[str, Result]] = [
    {"emoji": "pass", "read": "fail"},
    {"emoji": "pass", "read": "pass"},
    {"emoji": "fail", "read": "error"},
]
JUDGED = '\n[[items]]\nid = "polite"\nsource = "user_query"\nstatement = "Be polite."\njudge = "Is it polite?"\n'


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """As the house's, in this process: starting one takes longer than what it does here."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = call(arguments)
        told = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, told.out, told.err)

    return run


def test_agents_are_scored_reported_and_not_run_again(
    cli: Cli, make_task: MakeTask, script: Script, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        make_task(name, **{"checklist.toml": CHECKLIST})
    model = script(CLEAN, "submit")
    done = cli("score", "tasks/tiny", "--scaffold", "bash", "--model", model, "--out", "r.jsonl", "--parallel", "2")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["bash", "scripted", "2", "0", "100.0", "[100,", "100]"] == rows[2][:7]
    kept = list(TrajectoryStore(tmp_path / "r.jsonl"))
    assert [trajectory.reward for trajectory in kept] == [1.0, 1.0]
    assert all(t.outcome and t.outcome.compliance and t.outcome.compliance.isr for t in kept)
    assert (tmp_path / "r.report.html").read_text().startswith("<!doctype html>")
    report = json.loads((tmp_path / "r.report.json").read_text())
    assert report["overall"]["matrix"]["solved_compliant"] == 2
    again = cli("score", "tasks/tiny", "--scaffold", "bash", "--model", model, "--out", "r.jsonl", "--json")
    assert "2 of 2 settled before, 0 to go" in again.stderr
    assert json.loads(again.stdout) == report
    assert len(list(TrajectoryStore(tmp_path / "r.jsonl"))) == 2


def test_success_without_compliance_is_seen(cli: Cli, make_task: MakeTask, script: Script, tmp_path: Path) -> None:
    make_task("a", **{"checklist.toml": CHECKLIST})
    done = cli("score", "a", "--scaffold", "bash", "--model", script(RUDE, "submit"), "--out", "r.jsonl")
    assert done.returncode == 0, done.stderr
    assert "solved and compliant 0, solved alone 1, compliant alone 0, neither 0, unknown 0" in done.stdout
    [trajectory] = TrajectoryStore(tmp_path / "r.jsonl")
    assert trajectory.outcome is not None
    broken = [verdict for verdict in trajectory.outcome.checklist if verdict.result == "fail"]
    assert [(verdict.item, verdict.source, verdict.kind) for verdict in broken] == [
        ("no-cat", "project_file", "command_unused")
    ]
    assert broken[0].evidence[0].turn == 0


def test_what_agentgym_run_left_is_scored_as_it_is(
    cli: Cli, make_task: MakeTask, script: Script, tmp_path: Path
) -> None:
    make_task("a", **{"checklist.toml": CHECKLIST})
    assert cli("run", "a", "--model", script(RUDE, "submit"), "--out", "r.jsonl").returncode == 0
    before = (tmp_path / "r.jsonl").read_bytes()
    done = cli("score", "r.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["overall"]["isr"]["value"] == 0.0
    assert (tmp_path / "r.jsonl").read_bytes() == before
    [scored] = TrajectoryStore(tmp_path / "r.scored.jsonl")
    assert scored.outcome is not None
    assert scored.outcome.compliance is not None
    assert "1 of 1 decided before, 0 to go" in cli("score", "r.jsonl").stderr
    # into the file itself, by rolling out nothing
    same = cli("score", "a", "--scaffold", "bash", "--model", script(RUDE, "submit"), "--out", "r.jsonl")
    assert same.returncode == 0, same.stderr
    assert [t.outcome and bool(t.outcome.checklist) for t in TrajectoryStore(tmp_path / "r.jsonl")] == [False, True]


def test_items_for_a_judge_are_undecided_without_one_and_decided_from_recorded_answers(
    cli: Cli, make_task: MakeTask, script: Script, tmp_path: Path
) -> None:
    make_task("a", **{"checklist.toml": CHECKLIST + JUDGED})
    arguments = ("score", "a", "--scaffold", "bash", "--model", script(CLEAN, "submit"), "--out", "r.jsonl", "--json")
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    rates = {name: told["overall"][name]["value"] for name in ("isr", "isr_at_most", "isr_programs")}
    assert rates == {"isr": 0.0, "isr_at_most": 1.0, "isr_programs": 1.0}
    assert [item["why"] for item in told["undecided"]] == ["no judge was asked"]
    [trajectory] = TrajectoryStore(tmp_path / "r.jsonl")
    record_answers(trajectory, tmp_path / "answers.jsonl")
    judged = cli(*arguments, "--judge", "replay:answers.jsonl")
    assert judged.returncode == 0, judged.stderr
    told = json.loads(judged.stdout)
    assert told["overall"]["isr"]["value"] == 1.0
    assert told["judges"][0]["n_cached"] == 1
    missing = cli(*arguments, "--judge", "replay:nowhere.jsonl")
    assert missing.returncode == 2
    assert "--judge replay:nowhere.jsonl: no such file" in missing.stderr


def test_two_scorings_of_the_same_runs_are_compared(cli: Cli, tmp_path: Path) -> None:
    runs = [run(results, id=f"r{n}") for n, results in enumerate(RESULTS)]
    for name, chosen in (("one", runs), ("other", [runs[0], *(r.model_copy(update={"id": "r1"}) for r in runs[2:])])):
        store = TrajectoryStore(tmp_path / f"{name}.jsonl")
        for one in chosen:
            store.append(one)
    overall = json.loads(cli("score", "one.jsonl", "--against", "other.jsonl", "--json").stdout)["overall"]
    assert {key: overall[key] for key in ("n", "n_agreed", "n_undecided", "disagreements")} == {
        "n": 3, "n_agreed": 2, "n_undecided": 1, "disagreements": {"pass/fail": 1},
    }  # fmt: skip
    assert "read_before_edit" in cli("score", "one.jsonl", "--against", "other.jsonl").stdout


def test_a_suite_is_counted(cli: Cli, make_task: MakeTask) -> None:
    for name in ("a", "b"):
        make_task(name, **{"checklist.toml": CHECKLIST + JUDGED})
    told = json.loads(cli("score", "tasks/tiny", "--stats", "--json").stdout)
    wanted = {"environments": 1, "tasks": 2, "items": 8, "program_share": 0.75, "multi_turn_tasks": 0, "long_tasks": 0}
    assert {key: told[key] for key in wanted} == wanted
    assert "program share" in cli("score", "tasks/tiny", "--stats").stdout


def test_what_infrastructure_broke_off_is_listed_apart_and_run_again(
    cli: Cli, make_task: MakeTask, script: Script
) -> None:
    for name in ("a", "b"):
        make_task(name, **{"checklist.toml": CHECKLIST})
    arguments = ("score", "tasks/tiny", "--scaffold", "bash", "--out", "r.jsonl", "--json", "--model")
    broken = cli(*arguments, script(CLEAN))  # the model has nothing more to say
    assert broken.returncode == 3
    told = json.loads(broken.stdout)
    assert [(run["task"], run["owner"]) for run in told["broke_off"]] == [("a", "model"), ("b", "model")]
    assert (told["overall"]["n_runs"], told["overall"]["isr"]["value"], told["undecided"]) == (0, None, [])
    mended = cli(*arguments, script(CLEAN, "submit"))
    assert mended.returncode == 0, mended.stderr
    told = json.loads(mended.stdout)
    assert (told["broke_off"], told["overall"]["isr"]["value"]) == ([], 1.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plain",), "found no task with a checklist.toml in plain"),
        (("bad",), 'kind: found "no_emojis", wanted a known one (nearest known kind: "no_emoji")'),
        (("nowhere.jsonl",), "nowhere.jsonl: no such file"),
        (("empty.jsonl",), "found no trajectory of a task that is here and has a checklist"),
        (("empty.jsonl", "--out", "empty.jsonl"), "found one of the files that are scored"),
        (("plain", "--judge-all"), "found --judge-all without a judge"),
        (("plain", "--against", "empty.jsonl"), "found plain with --against, wanted one file"),
        (("empty.jsonl", "--against", "empty.jsonl"), "found no run that empty.jsonl has too"),
        (("empty.jsonl", "--stats"), "found empty.jsonl with --stats"),
        (("plain", "--judge", "replay:x", "--rule", "most"), "--rule: "),
        (("plain", "--judge", "endpoint:m@http://127.0.0.1:1/v1", "--price", "cheap"), "--price cheap: wanted two numbers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(
    arguments: tuple[str, ...], said: str, cli: Cli, make_task: MakeTask, tmp_path: Path
) -> None:
    make_task("plain")
    make_task("bad", **{"checklist.toml": CHECKLIST.replace("no_emoji", "no_emojis")})
    (tmp_path / "empty.jsonl").write_text("")
    done = cli("score", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def record_answers(trajectory: Trajectory, path: Path) -> None:
    """What a fake judge says of it."""
    judge = Judge(FakeJudge(honest({"Is it polite?": ("pass", "echo right")})), answers=Answers(path))
    judge.judge([Question("polite", "Is it polite?")], trajectory)

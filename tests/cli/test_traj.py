"""`agentgym traj`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from agentgym.cli.main import call
from agentgym.gateway import Gateway
from agentgym.gateway.journal import Journal
from agentgym.protocols import StopReason
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Outcome, Trajectory
from agentgym.views.turns import turns_of
from tests.trajectories import make_trajectory
from tests.views.agents import Script, saying, user, worked

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def traj(capsys: pytest.CaptureFixture[str]) -> Run:
    """traj(*arguments): exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = call(["traj", *map(str, arguments)])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return run


def day(**values: Any) -> Trajectory:
    calls = worked(tokens=values.pop("tokens", False))
    main = turns_of(calls)
    return make_trajectory(calls=calls, turns=main.turns, messages=main.messages, tools=main.tools, **values)


def stored(path: Path, *trajectories: Trajectory) -> Path:
    for trajectory in trajectories:
        TrajectoryStore(path).append(trajectory)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_list(traj: Run, tmp_path: Path, name: str) -> None:
    lost = make_trajectory("ls", id="bbbb", stop_reason=StopReason.SANDBOX_LOST, outcome=None)
    path = stored(tmp_path / name, day(id="aaaa"), lost)
    code, out, err = traj("list", path)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == [
        "id",
        "task",
        "scaffold",
        "model",
        "n",
        "turns",
        "calls",
        "tokens",
        "time",
        "size",
        "reward",
        "ended",
        "by",
    ]
    assert lines[2][:8] == ["aaaa", "demo/fix", "bash", "m", "0", "7", "10", "50"]
    assert lines[3][-2:] == ["-", "sandbox_lost"]
    assert err == "2 trajectories\n"
    listed = json.loads(traj("list", path, "--json")[1])
    assert [(one["id"], one["reward"], one["stop_reason"]) for one in listed] == [
        ("aaaa", 1.0, "submitted"), ("bbbb", None, "sandbox_lost"),
    ]  # fmt: skip


def test_show(traj: Run, tmp_path: Path) -> None:
    outcome = Outcome(reward=0.0, fail_to_pass={"t::a": "passed", "t::b": "missing"}, detail="one is missing")
    path = stored(tmp_path / "a.jsonl", day(id="aaaa", outcome=outcome, patch="--- a\n+++ b\n-x\n+y\n"))
    code, out, err = traj("show", path)
    assert (code, err) == (0, "")
    assert "── turn 0 ──" in out
    assert "\nhm\nLook.\n▶ bash ls\nparse.py\n▶ bash pwd\n/app\n" in out
    assert "▶ bash {broken\nnot JSON\n" in out
    assert "2 other conversations with 3 replies" in out
    assert "\n-x\n+y\n" in out
    assert "fail to pass: 1 of 2 passed\n  missing t::b\none is missing\nreward 0\n" in out
    assert "  passed t::a" not in out
    assert json.loads(traj("show", path, "aa", "--json")[1]) == json.loads(path.read_text())


def test_long_observations_are_cut_with_a_marker(traj: Run, tmp_path: Path) -> None:
    text = "\n".join(f"line {n}" for n in range(100)) + "\n" + "x" * 1000
    path = stored(tmp_path / "a.jsonl", make_trajectory("ls", observations=(text,)))
    out = traj("show", path)[1]
    assert "line 9\n[… 81 lines cut; --full shows them]\nline 91\n" in out
    assert "x" * 400 + " [… 600 more characters]\n" in out
    assert text in traj("show", path, "--full")[1]


EVIL = "\x1b]0;owned\x07\x1b[2J\x9b1A\rover\u202ewritten\ud83d\x00\x7f"


@pytest.mark.parametrize("options", [[], ["--full"], ["--json"]])
def test_nothing_an_agent_wrote_moves_the_cursor(traj: Run, tmp_path: Path, options: list[str]) -> None:
    turns = day().turns
    step = turns[0].steps[0].model_copy(update={"name": EVIL, "arguments": {EVIL: EVIL}, "observation": EVIL})
    message = {**turns[0].message, "reasoning_content": EVIL, "content": EVIL}
    evil = make_trajectory(
        messages=[user(EVIL), message],
        turns=[turns[0].model_copy(update={"message": message, "steps": [step]})],
        patch=f"+{EVIL}\n",
        outcome=Outcome(reward=0.0, detail=EVIL, fail_to_pass={EVIL: "failed"}),
        task=EVIL,
    )
    path = stored(tmp_path / "a.jsonl", evil, make_trajectory("ls", id="b"))
    printed = traj("show", path, evil.id, *options)[1] + traj("diff", path, evil.id, "b")[1] + traj("list", path)[1]
    assert "overwritten" in printed or "--json" in options
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", printed)


def test_diff(traj: Run, tmp_path: Path) -> None:
    one = make_trajectory("ls", "cat a", id="aaaa")
    other = make_trajectory("ls", "cat b", id="bbbb", observations=("seen 0", "1\n2\nfour\n" * 20))
    path = stored(tmp_path / "a.jsonl", one, other)
    code, out, err = traj("diff", path, "a", "b")
    assert (code, err) == (0, "3 differences\n")
    assert out.startswith('\n── turn 1 ──\nreply\n- cat a\n+ cat b\nstep 0\n- bash {"command": "cat a"}\n+ bash')
    assert "\n-seen 1\n+1\n+2\n" in out
    apart = stored(tmp_path / "b.jsonl", one), stored(tmp_path / "c.jsonl", other)
    assert traj("diff", *apart)[1] == out
    assert [one["what"] for one in json.loads(traj("diff", *apart, "--json")[1])] == [
        "reply",
        "step 0",
        "observation 0",
    ]
    assert traj("diff", path, "a", "a") == (0, "", "0 differences\n")


def test_export_to_each_format(traj: Run, tmp_path: Path) -> None:
    path = stored(tmp_path / "a.jsonl", day(id="aaaa", tokens=True), day(id="bbbb", tokens=True))
    code, out, err = traj("export", path, "--validate")
    assert (code, err) == (0, "")
    assert [json.loads(line)["trajectory_id"] for line in out.splitlines()] == ["aaaa", "bbbb"]
    out = traj("export", path, "bbbb", "--format", "messages")[1]
    assert [json.loads(line)["meta"]["trajectory"] for line in out.splitlines()] == ["bbbb"] * 5
    target = tmp_path / "new" / "samples.jsonl"
    assert traj("export", path, "--format", "samples", "--out", target) == (0, "", f"10 lines written to {target}\n")
    sample = json.loads(target.read_text().splitlines()[0])
    assert (sample["trajectory"], sample["reward"]) == ("aaaa", 1.0)
    assert len(sample["ids"]) == len(sample["loss_mask"])
    assert list(target.parent.iterdir()) == [target]


def test_export_records_into_a_compressed_file(traj: Run, tmp_path: Path) -> None:
    path = stored(tmp_path / "a.jsonl", day(id="aaaa"), day(id="bbbb"))
    target = tmp_path / "b.jsonl.gz"
    assert traj("export", path, "--format", "record", "--out", target) == (0, "", f"2 written to {target}\n")
    assert list(TrajectoryStore(target)) == list(TrajectoryStore(path))


def test_export_as_a_table(traj: Run, tmp_path: Path) -> None:
    path = stored(tmp_path / "a.jsonl", day(id="aaaa", tokens=True), day(id="bbbb", tokens=True))
    lines, table = tmp_path / "samples.jsonl", tmp_path / "samples.parquet"
    for target in (lines, table):
        assert traj("export", path, "--format", "samples", "--out", target)[0] == 0
    rows = pyarrow.parquet.read_table(table).to_pylist()
    assert rows == [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(rows) == 10


def test_export_for_other_trainers(traj: Run, tmp_path: Path) -> None:
    path = stored(
        tmp_path / "a.jsonl",
        day(id="aaaa", tokens=True, attempt=0, outcome=Outcome(reward=1.0)),
        day(id="bbbb", tokens=True, attempt=1, outcome=Outcome(reward=0.0)),
    )
    target = tmp_path / "training.parquet"
    assert traj("export", path, "--format", "training", "--out", target) == (0, "", f"10 lines written to {target}\n")
    rows = pyarrow.parquet.read_table(target).to_pylist()
    assert {(row["trajectory"], row["reward"], row["group"], row["rollout"]) for row in rows} == {("aaaa", 1.0, 0, 0), ("bbbb", 0.0, 0, 1)}  # fmt: skip
    assert {max(row["advantages"], key=abs) for row in rows} == {1.0, -1.0}


def run_that_died(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    journal = Journal(Journal.beside(path))
    for episode in ("done", "died"):
        session = Gateway(journal).open(Script(saying("a")), episode=episode, task="demo/fix", scaffold="agent")
        session.reply([user("Go.")])
    journal.close()
    return stored(path, make_trajectory(id="done"))


def test_export_raw_lines_of_the_journal(traj: Run, tmp_path: Path) -> None:
    path = run_that_died(tmp_path)
    [line] = traj("export", path, "--format", "raw")[1].splitlines()
    assert (json.loads(line)["episode"], json.loads(line)["call"]["reply"]) == ("done", saying("a"))


def test_recover_what_a_dead_run_left(traj: Run, tmp_path: Path) -> None:
    path, target = run_that_died(tmp_path), tmp_path / "found.jsonl"
    code, out, err = traj("recover", path)
    assert (code, err) == (0, "1 unfinished\n")
    assert out.splitlines()[-1].split() == ["died", "demo/fix", "agent", "script", "1", "1"]
    assert traj("recover", path, "--out", target)[2] == f"1 unfinished, written to {target}\n"
    [trajectory] = TrajectoryStore(target)
    assert (trajectory.id, trajectory.stop_reason) == ("died", None)
    path.unlink()
    assert traj("recover", path)[2] == "2 unfinished\n", "a run may die before its first episode ends"


def test_what_nobody_learns_from_is_left_out_of_samples(traj: Run, tmp_path: Path) -> None:
    path = stored(tmp_path / "a.jsonl", day(id="aaaa", stop_reason=StopReason.AGENT_ERROR), day(id="bbbb", tokens=True))
    code, out, err = traj("export", path, "--format", "samples")
    assert code == 0
    assert {json.loads(line)["trajectory"] for line in out.splitlines()} == {"bbbb"}
    assert err == "warning: trajectory aaaa is left out: it ended by agent_error, which nobody learns from\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "none.jsonl"], "none.jsonl: no such file; wanted a .jsonl of trajectories"),
        (["show", "two.jsonl"], "two.jsonl: found 2 trajectories, wanted one; name it: `agentgym traj list two.jsonl`"),
        (["show", "two.jsonl", "zz"], "two.jsonl: found no trajectory zz"),
        (["diff", "two.jsonl", "aaaa"], "aaaa: no such file; wanted a second file, or two ids"),
        (["export", "two.jsonl", "--format", "messages", "--validate"], "--validate checks atif, not messages"),
        (["export", "two.jsonl", "--format", "record"], "record wants --out"),
        (["export", "two.jsonl", "--out", "two.jsonl"], "two.jsonl: exists; wanted a new file"),
        (["export", "two.jsonl", "--format", "samples"], "trajectory aaaa: call 0 has no token ids: its model does not show"),
        (["export", "two.jsonl", "--format", "samples", "--out", "out.jsonl"], "trajectory aaaa: call 0 has no token ids"),
        (["export", "two.jsonl", "bbbb", "--format", "samples"], "trajectory bbbb has no calls on record"),
        (["export", "two.jsonl", "--format", "training", "--out", "a.parquet"], "trajectory aaaa: call 0 has no token ids"),
        (["export", "two.jsonl", "--format", "messages", "--out", "a.parquet"], "a.parquet: messages is no table; wanted .jsonl"),
        (["export", "two.jsonl", "--format", "raw"], "two.calls.jsonl: no such file; it is written beside"),
        (["export", "two.jsonl", "--format", "pdf"], "invalid value for '--format'"),
        (["recover", "two.jsonl"], "two.calls.jsonl: no such file"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    traj: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    stored(Path("two.jsonl"), day(id="aaaa"), make_trajectory("ls", id="bbbb"))
    code, out, err = traj(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {said}")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["two.jsonl"], "nothing is left half written"

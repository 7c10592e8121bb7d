"""A judge behind an OpenAI-compatible server, asked by the command line, kept on file, and then replayed without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agentgym.cli.main import call
from agentgym.store import TrajectoryStore
from agentgym.task import load_task
from agentgym.trajectory import Outcome, TaskRef
from tests.models.server import Server, answer, completion
from tests.scoring.judge.fakes import honest
from tests.scoring.judge.sheets import read_sheet
from tests.scoring.suites import CHECKLIST
from tests.tasks import vary
from tests.trajectories import make_trajectory

POLITE = '\n[[items]]\nid = "polite"\nsource = "user_query"\nstatement = "Be polite."\njudge = "Is it polite?"\n'


async def judging(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    said = honest({"Is it polite?": ("fail", "Do it yourself.")})(read_sheet(body["messages"]))
    return await answer(completion({"content": f"<think>hm</think>```json\n{json.dumps(said)}\n```"}))(request)


def test_it_is_asked_over_http_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    vary(tmp_path / "tasks" / "greet", {"checklist.toml": CHECKLIST + POLITE})
    task = load_task("tasks/greet")
    done = make_trajectory("Do it yourself.", patch="", outcome=Outcome(reward=0.0))
    ref = TaskRef(name=task.name, checksum=task.checksum, suite="tests")
    TrajectoryStore(tmp_path / "r.jsonl").append(done.model_copy(update={"task": ref}))

    def report(judge: str, *more: str) -> dict[str, Any]:
        arguments = ["score", "r.jsonl", "--judge", judge, "--answers", "answers.jsonl", "--price", "2,10", "--json"]
        assert call([*arguments, *more]) == 0
        return dict(json.loads(capsys.readouterr().out))

    with Server(answer("busy", status=503), judging) as server:
        judge = f"endpoint:m@{server.base_url}"
        first = report(judge, "--judge-option", "backoff_s=0.01", "--out", "a.jsonl")
        again = report(judge, "--out", "b.jsonl")
    offline = report("replay:answers.jsonl", "--out", "c.jsonl")
    assert len(server.requests) == 2  # one of them was refused
    groups = {group["name"]: group for group in first["overall"]["by"]["kind"]}
    assert (groups["judge"]["n_fail"], groups["judge"]["n_error"]) == (1, 0)
    assert first["judges"][0]["cost_usd"] == pytest.approx(11 * 2e-6 + 7 * 10e-6)
    assert [told["judges"][0]["n_cached"] for told in (first, again, offline)] == [0, 1, 1]
    assert again["overall"] == offline["overall"] == first["overall"]

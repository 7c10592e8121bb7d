from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import TaskError
from agentgym.protocols import StopReason, ToolCall
from scaffolds import NopScaffold, OracleScaffold
from tests.scaffolds.fakes import FakeEpisode

MakeEpisode = Callable[..., FakeEpisode]


def run(episode: Any) -> None:
    OracleScaffold().run(episode)


def test_it_runs_the_solution_in_the_work_folder_and_submits(
    make_episode: MakeEpisode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_HOST", "from-host")
    episode = make_episode(
        solve={"": 'echo "$GREETING $WHENCE" > greeting.txt; pwd >> greeting.txt'},
        config='[solution.env]\nGREETING = "hello"\nWHENCE = "${DEMO_HOST}"\n[agent]\ntimeout_sec = 12.0\n',
    )
    run(episode)
    assert Path(episode.workdir, "greeting.txt").read_text() == f"hello from-host\n{episode.workdir}\n"
    assert episode.stop_reason == StopReason.SUBMITTED
    assert episode.actions == [ToolCall("submit")]
    solving = episode.sandbox.calls[-1]
    assert solving == {
        "command": ["bash", "/solution/solve.sh"],
        "timeout_s": 12.0,
        "cwd": episode.workdir,
        "env": {"GREETING": "hello", "WHENCE": "from-host"},
        "user": "root",
    }


def test_each_step_has_its_own_solution(make_episode: MakeEpisode) -> None:
    episode = make_episode(
        instructions={"one": "First this.", "two": "Then that."},
        solve={
            "one": "echo one >> log; touch $(dirname $0)/left-over",
            "two": "echo two >> log; ls $(dirname $0) >> log",
        },
    )
    run(episode)
    assert Path(episode.workdir, "log").read_text() == "one\ntwo\nsolve.sh\n"
    assert episode.stop_reason == StopReason.SUBMITTED
    assert len(episode.actions) == 2


def test_a_solution_that_fails_is_handed_in_with_a_warning(
    make_episode: MakeEpisode, caplog: pytest.LogCaptureFixture
) -> None:
    episode = make_episode(solve={"": "echo 'no such patch' >&2; exit 3"})
    run(episode)
    assert episode.stop_reason == StopReason.SUBMITTED
    assert caplog.messages == ["task: solve.sh of step 'task' exited 3: no such patch"]


def test_a_solution_that_runs_out_of_time_says_so(make_episode: MakeEpisode, caplog: pytest.LogCaptureFixture) -> None:
    episode = make_episode(solve={"": "echo begun; sleep 30"}, config="[agent]\ntimeout_sec = 0.3\n")
    run(episode)
    assert caplog.messages == ["task: solve.sh of step 'task' ran out of time: begun"]


def test_a_task_without_a_solution_is_one_clear_line(make_episode: MakeEpisode) -> None:
    with pytest.raises(TaskError, match=r"found no solution/solve\.sh, wanted one for the oracle to run"):
        run(make_episode())


@pytest.mark.parametrize("instructions", [{"": "Fix it."}, {"one": "First.", "two": "Second."}])
def test_nop_submits_and_does_nothing_else(make_episode: MakeEpisode, instructions: dict[str, str]) -> None:
    episode: Any = make_episode(instructions=instructions)
    NopScaffold().run(episode)
    assert episode.stop_reason == StopReason.SUBMITTED
    assert episode.actions == [ToolCall("submit")] * len(instructions)
    assert episode.sandbox.calls == []
    assert episode.prompts == []

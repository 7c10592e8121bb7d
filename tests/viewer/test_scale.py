"""Ten thousand episodes in a run, and five megabytes in an episode: still a page, and at once."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentgym.call import Call
from agentgym.index import TrajectoryIndex
from agentgym.trajectory import Failure, Outcome, StepRecord, Turn
from agentgym.viewer import episode
from tests.trajectories import NOON, make_trajectory
from tests.viewer.conftest import get
from tests.viewer.episodes import large, many, write
from tests.viewer.trainings import curve

PAGE_BYTES = 2_000_000
PAGE_S = 0.3


def best_s(work: Callable[[], object], tries: int = 5) -> float:
    """Of several: the machine is shared."""
    times = []
    for _ in range(tries):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def settled(client: httpx.Client, path: str, word: str) -> None:
    """Wait until the run has been read."""
    deadline = time.monotonic() + 60
    while word in client.get(path).text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_ten_thousand_episodes(tmp_path: Path, client: httpx.Client) -> None:
    many(tmp_path / "a.jsonl", 10_000)
    began = time.perf_counter()
    first = get(client, "/a.jsonl")
    assert time.perf_counter() - began < 2.0  # what has been read so far; the rest goes on meanwhile
    assert "a.jsonl" in first.text
    settled(client, "/a.jsonl", "still reading")
    for path in ("/", "/a.jsonl", "/a.jsonl?sort=reward&order=down&outcome=solved&page=7", "/a.jsonl/9999?sort=duration&order=up"):  # fmt: skip
        response = client.get(path)
        assert response.status_code == 200
        assert len(response.content) < 200_000
        assert best_s(lambda path=path: client.get(path)) < PAGE_S, path  # type: ignore[misc]
    tag = client.get("/a.jsonl").headers["etag"]
    assert best_s(lambda: client.get("/a.jsonl", headers={"If-None-Match": tag})) < 0.05


def test_a_training_run_of_many_steps(tmp_path: Path, client: httpx.Client) -> None:
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in curve(5000))
    (tmp_path / "metrics.jsonl").write_bytes(lines)
    settled(client, "/metrics.jsonl", "still reading")
    assert "5,000" in get(client, "/metrics.jsonl").text
    assert len(client.get("/metrics.jsonl").content) < PAGE_BYTES
    assert best_s(lambda: client.get("/metrics.jsonl")) < PAGE_S


def test_what_is_held_of_an_episode_is_small(tmp_path: Path) -> None:
    index = TrajectoryIndex(many(tmp_path / "a.jsonl", 2000))
    tracemalloc.start()
    index.refresh()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / 2000 < 1500


@pytest.fixture(scope="module")
def five_megabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write(tmp_path_factory.mktemp("large") / "a.jsonl", large())
    assert path.stat().st_size > 5_000_000
    return path


def test_an_episode_of_five_megabytes(tmp_path: Path, client: httpx.Client, five_megabytes: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(five_megabytes)
    page = get(client, "/a.jsonl/0")
    for path in ["/a.jsonl/0", "/a.jsonl/0?turns=301", *(link for link in page.links() if "/text?" in link or "/patch/" in link)][:30]:  # fmt: skip
        assert len(client.get(path).content) < PAGE_BYTES, path
    assert best_s(lambda: client.get("/a.jsonl/0")) < PAGE_S


def test_the_first_look_at_it_is_as_quick(five_megabytes: Path) -> None:
    """Before anything of it is kept."""
    index = TrajectoryIndex(five_megabytes)
    index.refresh()
    assert best_s(lambda: episode.recorded(index.read(index.entries[0])).page(1)) < PAGE_S


def test_whatever_is_long_a_page_stays_a_page(tmp_path: Path, client: httpx.Client) -> None:
    """Names, keys, single lines, many of each: all that an agent or a task can stretch."""
    long, wide = "l" * 500_000, "w" * 100_000
    arguments: list[dict[str, Any] | str] = [
        {wide: wide},
        {f"{n}": wide[:5000] for n in range(200)},
        {"path": long, "old": long, "new": f"{long}2"},
        {"path": "a", "old": "a\n" * 20_000, "new": "b\n" * 20_000},
        {"command": "ls\n" * 100_000},
        long,
    ]
    steps = [
        StepRecord(name=long, arguments=given, observation=long, started_at=NOON, duration_s=0) for given in arguments
    ]
    calls = [{"id": "c", "type": "function", "function": {"name": wide[:5000], "arguments": wide[:5000]}}] * 100
    message = {"role": "assistant", "content": long, "reasoning_content": long, "tool_calls": calls}
    write(
        tmp_path / "a.jsonl",
        make_trajectory(
            task=wide,
            scaffold=wide,
            model=wide,
            messages=[{"role": long, "content": long}, {"role": "system", "content": long}, {"role": "user", "content": long}],
            turns=[Turn(message=message, started_at=NOON, duration_s=0, steps=steps * 3)],  # type: ignore[arg-type]
            calls=[Call(reply=message, messages=[{"role": "user", "content": long}], error=long, started_at=NOON)],  # type: ignore[arg-type]
            patch=f"--- a\n+++ {wide}\n@@ -0,0 +1,3000 @@\n" + f"+{'x' * 5000}\n" * 3000,
            error=Failure(owner="model", type=wide, message=long),
            outcome=Outcome(fail_to_pass={f"{n}{wide}": "failed" for n in range(20)}, detail=long),
        ),
    )  # fmt: skip
    for path in ("/", "/a.jsonl", "/a.jsonl/0", "/a.jsonl/0/calls/0", "/a.jsonl/0/patch/0", "/a.jsonl/0/text?at=/turns/0/message/tool_calls"):  # fmt: skip
        assert get(client, path)
        assert len(client.get(path).content) < PAGE_BYTES, path


def test_a_line_of_a_megabyte_comes_in_pieces(tmp_path: Path, client: httpx.Client, five_megabytes: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(five_megabytes)
    path, n = "/a.jsonl/0/text?at=/turns/0/steps/0/observation", 0
    while True:
        page = get(client, path)
        n += page.text.count("x" * 1000) * 1000
        more = [link for link in page.links() if "from=" in link]
        if not more:
            break
        (path,) = more
    assert n == 1_000_000

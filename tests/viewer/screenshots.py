"""Renews the pictures of docs/viewer.md, one of them of a real run: python -m tests.viewer.screenshots docs/images RUN"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from agentgym.errors import ModelError
from agentgym.protocols import StopReason
from agentgym.trajectory import Failure, Outcome, Timing, Trajectory
from tests.trajectories import NOON
from tests.viewer.compliances import suite
from tests.viewer.conftest import serving
from tests.viewer.episodes import called, journal, opened, rich, write

TASKS = ("isodate-fraction-of-second-grows", "tomli-dotted-key-reopens-table", "wcwidth-emoji-zwj-length", "sqlparse-split-on-begin")  # fmt: skip
SOLVES = {"bash": 0.4, "tools": 0.6, "plan": 0.75}
ENDINGS = (*[StopReason.SUBMITTED] * 5, StopReason.MAX_TURNS, StopReason.TIMEOUT)


def episodes(die: random.Random) -> list[Trajectory]:
    """A run as it might be."""
    made = [rich()]
    for task in TASKS:
        for scaffold, chance in SOLVES.items():
            lost = die.random() < 0.08
            failure = Failure.of(ModelError("the model's server gave no reply after 5 tries: 503"))
            made.append(
                rich(
                    task=task,
                    id=f"{die.getrandbits(64):016x}",
                    scaffold=scaffold,
                    started_at=NOON + timedelta(seconds=40 * len(made)),
                    outcome=Outcome(reward=None if lost else float(die.random() < chance)),
                    stop_reason=StopReason.MODEL_ERROR if lost else die.choice(ENDINGS),
                    error=failure if lost else None,
                    timing=Timing(sandbox_s=0.6, agent_s=die.expovariate(0.2), model_s=die.expovariate(0.05)),
                )
            )
    return made


def main(into: Path, run: Path) -> None:
    program = shutil.which("chromium")
    into.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write(folder / "smollm2.jsonl", *episodes(random.Random(3)))
        journal(folder / "smollm2.calls.jsonl", opened("e1", task=TASKS[3]), called(rich().calls[0], 0))
        shutil.copytree(run, folder / "quickstart", ignore=shutil.ignore_patterns("states", "scratch"))
        write(folder / "octo.jsonl", *suite(random.Random(5), 36))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with serving(folder) as address:
            page = browser.new_page(viewport={"width": 1200, "height": 720})
            page.goto(f"{address}/smollm2.jsonl")
            page.screenshot(path=into / "viewer-run.png")
            page.goto(f"{address}/quickstart/metrics.jsonl")
            page.locator(".plot").first.hover()
            page.screenshot(path=into / "viewer-training.png")
            page.goto(f"{address}/octo.jsonl/compliance")
            page.screenshot(path=into / "viewer-compliance.png")
            page.emulate_media(color_scheme="dark")
            page.goto(f"{address}/smollm2.jsonl/0")
            page.keyboard.press("t")
            page.locator("#t1 .tokens").wait_for()
            page.evaluate("document.getElementById('t1').scrollIntoView()")
            page.wait_for_timeout(300)
            page.screenshot(path=into / "viewer-episode.png")
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

"""Every page of the viewer: what it shows, and when it has changed. Knows no HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote

from agentgym import diff
from agentgym.index import Entry
from agentgym.viewer import compliance, curves, episode, forks, table, turns
from agentgym.viewer import tokens as token_cells
from agentgym.viewer.chart import Plot, plot
from agentgym.viewer.compliance import Filter
from agentgym.viewer.episode import EpisodeView
from agentgym.viewer.passage import PIECE_CHARS
from agentgym.viewer.runs import Folder, Run
from agentgym.viewer.templating import templates
from agentgym.viewer.training import Training

LIVE = "live-"
"""An episode in flight is addressed by this and its id; a recorded one by its number in the file."""
DIFF_LINES = 400
"""Shown of one file on an episode's page."""
PATCH_LINES, PATCH_CHARS = 2000, 300_000
"""Shown of all files together there."""
FILE_LINES = 10_000
"""Shown of one file on its own page."""
TESTS = 300
"""Of one kind on a page."""
NEWEST = 8
"""Sampled episodes on a training run's page."""
NOTES = 50
"""Of a training run on its page."""


class NotFound(LookupError):
    """There is no such page."""


@dataclass(frozen=True, slots=True)
class Page:
    """HTML that is made when it is needed."""

    stamp: str
    """The same: the page has not changed since."""
    render: Callable[[], str]


class Pages:
    """The pages of one folder. They may be asked for by several threads at once."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._process = secrets.token_hex(4)
        self._recorded = lru_cache(maxsize=2)(_recorded)
        self._scored = lru_cache(maxsize=2)(compliance.scored)
        self._templates = templates()

    def runs(self) -> Page:
        """The runs of the folder."""
        runs, trainings = self._folder.runs(), self._folder.trainings()
        stamps = [f"{run.name}:{run.stamp}" for run in runs]
        stamps += [f"{training.name}:{training.stamp}" for training in trainings]
        return self._page(
            "runs.html",
            ",".join(stamps),
            lambda: {"rows": [_RunRow.of(run) for run in runs], "trainings": list(map(_TrainingRow.of, trainings))},
            folder=str(self._folder.path),
        )

    def training(self, name: str) -> Page:
        """The curves of a training run. Raises NotFound."""
        training = self._folder.training(name)
        if training is None:
            raise NotFound(f"no training run is called {name}")
        episodes = self._folder.run(training.episodes)
        stamp = f"{training.stamp}{episodes.stamp if episodes else ''}"
        values = partial(_training_values, training, episodes)
        return self._page("training.html", stamp, values, training=training, episodes=episodes)

    def run(self, name: str, query: table.Query) -> Page:
        """The episodes of a run. Raises NotFound."""
        run = self._run(name)
        return self._page("run.html", f"{run.stamp}{query.text()}", partial(_run_values, run, query), run=run)

    def compliance(self, name: str, wanted: Filter) -> Page:
        """How the agents of a run kept to their checklists. Raises NotFound."""
        run = self._run(name)
        if not any(entry.is_scored for entry in run.entries):
            run.wait()
        if not any(entry.is_scored for entry in run.entries):
            raise NotFound(f"no episode of {name} was scored by a checklist; `agentgym score {name}` does so")
        return self._page(
            "compliance.html", f"{run.stamp}{wanted.text()}", partial(self._compliance_values, run, wanted), run=run
        )

    def episode(self, name: str, which: str, query: table.Query, first: int) -> Page:
        """An episode, with a page of its turns. Raises NotFound."""
        run = self._run(name)
        number = self._number(run, which)
        stamp = f"{run.stamp}{query.text()}{first}"
        return self._page(
            "episode.html", stamp, partial(self._episode_values, run, which, number, query, first), run=run
        )

    def branch(self, name: str, which: str, call: int, first: int) -> Page:
        """What was said up to and with one call's reply. Raises NotFound."""
        run = self._run(name)
        view = self._view(run, which)
        if call >= len(view.calls):
            raise NotFound(f"the episode has {len(view.calls)} calls")
        said = forks.conversation(view.calls, call)
        return self._page(
            "branch.html",
            f"{run.stamp}{first}",
            run=run,
            base=self._base(run, which),
            view=view,
            call=call,
            asked=view.calls[call],
            preface=turns.preface(said),
            turns=turns.of_conversation(said, view.calls, first),
            first=first,
            n_turns=turns.n_replies(said),
            page_turns=turns.PAGE,
        )

    def text(self, name: str, which: str, at: str, start: int, *, is_prose: bool) -> Page:
        """A text of the record whole, or as much of it as a page holds from character `start` on. Raises NotFound."""
        run = self._run(name)
        view = self._view(run, which)
        text = episode.text_at(view.record or {"calls": view.calls}, at)
        if text is None:
            raise NotFound(f"the episode has no text at {at}")
        end = start + PIECE_CHARS
        values: dict[str, Any] = {
            "at": at,
            "text": text[start:end],
            "end": end,
            "n_more": len(text) - end,
            "prose": is_prose,
        }
        return self._page("text.html", f"{run.stamp}", run=run, base=self._base(run, which), **values)

    def tokens(self, name: str, which: str, call: int, start: int) -> Page:
        """The sampled tokens of a call from number `start` on. Raises NotFound."""
        run = self._run(name)
        view = self._view(run, which)
        tokens = view.calls[call].tokens if call < len(view.calls) else None
        if tokens is None:
            raise NotFound("the call has no tokens on record")
        end = start + token_cells.PAGE
        cells = list(token_cells.cells(tokens))
        values: dict[str, Any] = {"call": call, "cells": cells[start:end], "end": end, "n_more": len(cells) - end}
        return self._page("tokens.html", run.stamp, run=run, base=self._base(run, which), **values)

    def file(self, name: str, which: str, number: int) -> Page:
        """What the patch does to one file. Raises NotFound."""
        run = self._run(name)
        files = self._view(run, which).files
        if number >= len(files):
            raise NotFound(f"the patch changes {len(files)} files")
        return self._page(
            "file.html",
            run.stamp,
            run=run,
            base=self._base(run, which),
            file=files[number],
            lines=diff.cut(files[number].lines, FILE_LINES, PIECE_CHARS),
        )

    def raw(self, name: str, which: str) -> bytes:
        """A trajectory as it is in the file, JSON. Raises NotFound."""
        run = self._run(name)
        number = self._number(run, which)
        if number is None:
            raise NotFound("an episode in flight has no trajectory yet")
        return run.line(run.entries[number])

    def moved(self, name: str, which: str, query: table.Query) -> str | None:
        """Where an episode is that was in flight when its address was made."""
        run = self._run(name)
        id = which.removeprefix(LIVE)
        if which == id or id in run.unrecorded:
            return None
        number = next((n for n, entry in enumerate(run.entries) if entry.id == id), None)
        return None if number is None else f"{self._base(run, str(number))}{query.text()}"

    def problem(self, status: int, message: str) -> str:
        """What a browser shows where there is no page."""
        return self._templates.get_template("problem.html").render(status=status, message=message, stamp=None)

    def _run(self, name: str) -> Run:
        run = self._folder.run(name)
        if run is None:
            raise NotFound(f"no run is called {name}")
        return run

    @staticmethod
    def _number(run: Run, which: str) -> int | None:
        """Of a recorded episode; None for one in flight. Raises NotFound."""
        if which.startswith(LIVE):
            if which.removeprefix(LIVE) not in run.unrecorded:
                raise NotFound("no such episode is in flight")
            return None
        if int(which) >= len(run.entries):
            run.wait()
        if int(which) >= len(run.entries):
            raise NotFound(f"the run has {len(run.entries)} episodes so far")
        return int(which)

    def _view(self, run: Run, which: str) -> EpisodeView:
        number = self._number(run, which)
        if number is not None:
            return self._recorded(run, run.entries[number])
        sessions = run.sessions(which.removeprefix(LIVE))
        if not sessions:
            raise NotFound("no such episode is in flight")
        return episode.in_flight(sessions)

    @staticmethod
    def _base(run: Run, which: str) -> str:
        """The address of an episode."""
        return f"/{quote(run.name)}/{quote(which, safe='')}"

    def _compliance_values(self, run: Run, wanted: Filter) -> dict[str, Any]:
        known = self._scored(run, run.stamp)
        rows = compliance.broken([*known.runs.items()], wanted)
        return {
            "report": known.report,
            "wanted": wanted,
            "n_rows": len(rows),
            "rows": rows[wanted.first - 1 : wanted.first - 1 + compliance.PAGE],
            "page_rows": compliance.PAGE,
            "page_turns": turns.PAGE,
        }

    def _episode_values(
        self, run: Run, which: str, number: int | None, query: table.Query, first: int
    ) -> dict[str, Any]:
        rows = table.select(run.entries, query)
        place = next((n for n, (row, _) in enumerate(rows) if row == number), None)
        view = self._view(run, which)
        return {
            "base": self._base(run, which),
            "view": view,
            "query": query,
            "number": number,
            "id": which.removeprefix(LIVE) if number is None else run.entries[number].id,
            "n_bytes": run.entries[number].n_bytes if number is not None else 0,
            "before": rows[place - 1][0] if place else None,
            "after": rows[place + 1][0] if place is not None and place + 1 < len(rows) else None,
            "turns": view.page(first),
            "first": first,
            "n_turns": view.n_turns,
            "page_turns": turns.PAGE,
            "tests": TESTS,
            "shown": _shown_of(view.files),
        }

    def _page(self, template: str, stamp: str, more: Callable[[], dict[str, Any]] = dict, **values: Any) -> Page:
        stamp = f"{self._process}-{hash(stamp) & (1 << 64) - 1:x}"
        render = self._templates.get_template(template).render
        return Page(stamp, lambda: render(stamp=stamp, **values, **more()))


@dataclass(frozen=True, slots=True)
class _RunRow:
    run: Run
    n: int
    n_solved: int
    n_unknown: int
    n_in_flight: int
    reward_mean: float | None
    scaffolds: list[str]
    models: list[str]

    @property
    def is_foreign(self) -> bool:
        """Whether the file holds something else, as far as anybody can tell."""
        return bool(self.run.problem) and not self.n

    @classmethod
    def of(cls, run: Run) -> _RunRow:
        entries = list(run.entries)
        return cls(
            run=run,
            n=len(entries),
            n_solved=sum(entry.reward is not None and entry.reward >= 1 for entry in entries),
            n_unknown=sum(entry.reward is None for entry in entries),
            n_in_flight=0 if run.is_quiet else len(run.unrecorded),
            reward_mean=table.mean_reward(entries),
            scaffolds=sorted({entry.scaffold for entry in entries}),
            models=sorted({entry.model for entry in entries}),
        )


@dataclass(frozen=True, slots=True)
class _TrainingRow:
    training: Training
    reward: Plot | None
    """Drawn small."""
    reward_last: float | None
    heldout: tuple[float | None, float | None]
    """First and last success on tasks that are never trained on."""
    n_steps: float | None
    """Train steps that the run is to have."""
    left_s: float | None
    """Seconds that the trainer expects to need still; None: it is over."""

    @classmethod
    def of(cls, training: Training) -> _TrainingRow:
        series = training.series
        names = ("reward/mean", "success/heldout", "steps", "eta_s")
        reward, heldout, steps, left = (series.get(name) for name in names)
        return cls(
            training=training,
            reward=plot({"reward": reward}) if reward else None,
            reward_last=reward.last if reward else None,
            heldout=(heldout.first, heldout.last) if heldout else (None, None),
            n_steps=steps.last if steps else None,
            left_s=left.last if left and not training.is_over else None,
        )


def _training_values(training: Training, episodes: Run | None) -> dict[str, Any]:
    newest = list(enumerate(episodes.entries))[: -NEWEST - 1 : -1] if episodes else []
    notes = list(training.notes)
    return {
        "row": _TrainingRow.of(training),
        "parts": curves.parts(training.series),
        "newest": newest,
        "n_episodes": len(episodes.entries) if episodes else 0,
        "notes": notes[-NOTES:],
        "n_notes": len(notes),
    }


def _run_values(run: Run, query: table.Query) -> dict[str, Any]:
    entries = list(run.entries)
    rows = table.select(entries, query)
    start = (query.page - 1) * table.PAGE
    return {
        "query": query,
        "n_all": len(entries),
        "n_scored": sum(entry.is_scored for entry in entries),
        "n_rows": len(rows),
        "rows": rows[start : start + table.PAGE],
        "start": start,
        "page_rows": table.PAGE,
        "groups": table.groups(rows),
        "choices": table.choices(entries),
        "unrecorded": list(run.unrecorded.items()),
    }


def _recorded(run: Run, entry: Entry) -> EpisodeView:
    return episode.recorded(run.read(entry))


def _shown_of(files: Sequence[diff.FileDiff]) -> list[list[diff.Line]]:
    """The lines of each file of a patch that a page shows, from the first file on."""
    n_lines, n_chars = PATCH_LINES, PATCH_CHARS
    shown = []
    for file in files:
        lines = diff.cut(file.lines, min(DIFF_LINES, n_lines), n_chars)
        n_lines, n_chars = n_lines - len(lines), n_chars - sum(len(line.text) for line in lines)
        shown.append(lines)
    return shown

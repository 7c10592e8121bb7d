"""A run on stderr: a few lines that change in place on a terminal, one line a record elsewhere.

What a run tells by other names than those here is not shown; the viewer and TensorBoard show everything.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from agentgym.cli.console import seconds, show_logs, stderr
from rl.observe.record import Record
from rl.observe.sparkline import sparkline

_CURVES = {"reward": "reward/mean", "held-out": "success/heldout", "unseen": "success/unseen"}
_FIGURES = {
    "lag": {
        "lag/versions_mean": "{:.1f} versions",
        "lag/versions_max": "at most {:.0f}",
        "lag/groups_mean": "{:.1f} groups",
    },
    "idle": {"idle/trainer": "trainer {:.0%}", "idle/rollouts": "rollouts {:.0%}"},
    "a second": {
        "rate/sampled_tokens_per_s": "{:,.0f} tokens sampled",
        "rate/trained_tokens_per_s": "{:,.0f} trained",
        "rate/episodes_per_s": "{:.1f} episodes",
    },
}
_LABEL_WIDTH = 10
_SPARKLINE_WIDTH = 32


class ConsoleLines:
    """Live where the console, stderr unless another is given, is a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or stderr()
        self._series: defaultdict[str, list[float]] = defaultdict(list)
        """All values of a metric so far, by name."""
        self._step = 0
        self._began_s = time.monotonic()
        self._live: Live | None = None

    def record(self, record: Record) -> None:
        self._step = record.step
        finite = {name: value for name, value in record.metrics.items() if math.isfinite(value)}
        for name, value in finite.items():
            self._series[name].append(value)
        if record.kind == "start":
            self._start()
        if record.text:
            self.console.print(Text.assemble((f"step {record.step}  ", "dim"), record.text))
        if self._live is not None:
            self._live.refresh()
        elif line := _line(finite):
            self.console.print(Text(f"step {record.step}  {line}"))

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()  # the last picture stays
        self._live = None

    def _start(self) -> None:
        show_logs(self.console)
        if self.console.is_terminal and self._live is None:
            # once a second: drawing must not take from the training's cores
            self._live = Live(
                get_renderable=self._picture, console=self.console, refresh_per_second=1, redirect_stdout=False
            )
            self._live.start()

    def _picture(self) -> RenderableType:
        head = Text.assemble((f"step {self._step}", "bold"), f"  {seconds(time.monotonic() - self._began_s)}")
        if "eta_s" in self._series:
            head.append(f"  {seconds(self._series['eta_s'][-1])} left", "dim")
        curves = [_labelled(label, self._curve(name)) for label, name in _CURVES.items() if name in self._series]
        figures = [
            _labelled(label, Text(", ".join(parts)))
            for label, parts in _figures(lambda name: self._series[name][-1] if name in self._series else None)
        ]
        return Group(head, *curves, *figures)

    def _curve(self, name: str) -> Text:
        values = self._series[name]
        line = Text.assemble((f"{values[-1]:.3f}", "bold"), "  ", (sparkline(values, _SPARKLINE_WIDTH), "green"))
        if len(values) > 1:
            line.append(f"  from {values[0]:.3f}", "dim")
        return line


def _line(metrics: Mapping[str, float]) -> str:
    """Empty where there is nothing to show."""
    told = [f"{label} {metrics[name]:.3f}" for label, name in _CURVES.items() if name in metrics]
    told += [f"{label}: {', '.join(parts)}" for label, parts in _figures(metrics.get)]
    if "eta_s" in metrics:
        told.append(f"{seconds(metrics['eta_s'])} left")
    return "  ".join(told)


def _figures(last: Callable[[str], float | None]) -> Iterator[tuple[str, list[str]]]:
    """What is known, label by label; `last` gives a metric's value by its name."""
    for label, named in _FIGURES.items():
        parts = [shown.format(value) for name, shown in named.items() if (value := last(name)) is not None]
        if parts:
            yield label, parts


def _labelled(label: str, text: Text) -> Text:
    return Text.assemble((f"{label:<{_LABEL_WIDTH}}", "dim"), text)

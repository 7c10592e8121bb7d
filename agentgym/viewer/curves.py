"""Which metrics of a training run stand together in a chart, and what they are called there.

What has no place here gets a chart of its own, at the end: nothing that the trainer tells is kept back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentgym.viewer.chart import Plot, Unit, plot
from agentgym.viewer.training import Series

WORDS = ("eta_s", "steps", "wall_s")
"""Said in words, and not drawn."""
OTHERS = 60
"""Charts of metrics without a place."""


@dataclass(frozen=True, slots=True)
class _Chart:
    title: str
    metrics: Mapping[str, str]
    """Label by name; a name that ends in `/` stands for all that begin so, and their rests are the labels."""
    unit: Unit = ""
    low: float | None = 0.0
    high: float | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """One chart of a page."""

    title: str
    hint: str
    plot: Plot


@dataclass(frozen=True, slots=True)
class Part:
    """Charts under one heading."""

    title: str
    curves: list[Curve] = field(default_factory=list)


_PARTS: Mapping[str, tuple[_Chart, ...]] = {
    "": (
        _Chart("Reward", {"reward/mean": "mean"}, hint="of the episodes that ended during a train step"),
        _Chart("Success", {"success/heldout": "held-out", "success/unseen": "unseen"}, "%", high=1.0,
               hint="on tasks that are never trained on"),
    ),
    "Rollouts and trainer": (
        _Chart("Staleness", {"lag/versions_mean": "mean", "lag/versions_max": "greatest"},
               hint="policy versions from dispatch to training"),
        _Chart("Lag", {"lag/groups_mean": "mean"}, hint="groups consumed from dispatch to training"),
        _Chart("Idle", {"idle/trainer": "trainer", "idle/rollouts": "rollouts",
                        "idle/processors": "processors"}, "%", high=0.25, hint="part of the time"),
        _Chart("Tokens", {"rate/sampled_tokens_per_s": "sampled", "rate/trained_tokens_per_s": "trained"},
               hint="a second"),
        _Chart("Episodes", {"rate/episodes_per_s": "ended"}, hint="a second"),
        _Chart("Time", {"time/": ""}, "s", hint="of a train step"),
        _Chart("Groups", {"groups/trained": "trained", "groups/tombstones": "came to nothing"}, hint="of a train step"),
        _Chart("Varied", {"groups/varied_share": "share"}, "%", high=1.0, hint="groups whose rewards differ"),
        _Chart("Endings", {"stop/": ""}, hint="episodes by stop reason"),
    ),
    "Learning": (
        _Chart("Loss", {"trainer/loss": "policy", "trainer/index_loss": "index"}, low=None),
        _Chart("Gradient norm", {"trainer/grad_norm": "before clipping"}),
        _Chart("Entropy", {"trainer/entropy_mean": "mean"}, hint="nats a token"),
        _Chart("Importance ratio", {"trainer/ratio_mean": "mean", "trainer/ratio_p95": "95 %",
                                    "trainer/weight_mean": "weight"}),
        _Chart("Capped", {"trainer/capped_share": "all", "trainer/capped_share_positive": "positive",
                          "trainer/capped_share_negative": "negative", "trainer/untrusted_share": "untrusted"}, "%",
               hint="share of the tokens, by advantage"),
        _Chart("Mismatch", {"trainer/mismatch/k3_mean": "mean", "trainer/mismatch/k3_p95": "95 %"},
               hint="k3, nats: trainer against sampler"),
        _Chart("Effective sample", {"trainer/effective_share": "share"}, "%", high=1.0,
               hint="of the tokens, by their importance"),
        _Chart("Correlation", {"trainer/mismatch/pearson": "Pearson"}, low=None,
               hint="of token probabilities, trainer and sampler"),
        _Chart("Tokens of a step", {"trainer/trained_tokens": "trained", "trainer/computed_tokens": "computed"}),
        _Chart("Time in the trainer", {"trainer/plan_s": "plan", "trainer/forward_s": "forward",
                                       "trainer/backward_s": "backward", "trainer/optimizer_s": "optimizer"}, "s"),
    ),
}  # fmt: skip


def parts(series: Mapping[str, Series]) -> list[Part]:
    """All charts that the metrics fill."""
    placed = set(WORDS)
    found = []
    for title, charts in _PARTS.items():
        part = Part(title)
        for chart in charts:
            named = _named(chart.metrics, series)
            placed |= set(named)
            drawn = plot(
                {label: series[name] for name, label in named.items()}, unit=chart.unit, low=chart.low, high=chart.high
            )
            if drawn is not None:
                part.curves.append(Curve(chart.title, chart.hint, drawn))
        found.append(part)
    others = Part("Other metrics")
    for name in [name for name in series if name not in placed][:OTHERS]:
        drawn = plot({name.rpartition("/")[2]: series[name]})
        if drawn is not None:
            others.curves.append(Curve(name, "", drawn))
    return [part for part in (*found, others) if part.curves]


def _named(metrics: Mapping[str, str], series: Mapping[str, Series]) -> dict[str, str]:
    """Label by the name of each metric that there is."""
    named: dict[str, str] = {}
    for wanted, label in metrics.items():
        if wanted.endswith("/"):
            rests = {name: name.removeprefix(wanted) for name in series if name.startswith(wanted)}
            named |= {name: rest.removesuffix("_s").replace("_", " ") for name, rest in rests.items()}
        elif wanted in series:
            named[wanted] = label
    return named

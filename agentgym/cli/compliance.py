"""Compliance as tables on stdout."""

from __future__ import annotations

from agentgym.cli.console import stdout, table
from agentgym.scoring.report import Comparison, Report, Stats, Summary
from agentgym.scoring.report.rate import Rate

_KINDS = 20
"""Shown, the most often broken first."""
_LINES = 50
"""Shown of a list."""


def report(shown: Report) -> None:
    """What matters most; the rest is in the files."""
    console = stdout()
    agents = table(
        ["scaffold", "model", "runs>", "failed>", "ISR>", "programs>", "CSR micro>", "CSR macro>", "solved>"]
    )
    for agent in shown.agents:
        agents.add_row(agent.scaffold, agent.model, *_row(agent.summary))
    console.print(agents)
    names = [agent.scaffold if len(shown.agents) == 1 else f"{agent.scaffold}/{agent.model}" for agent in shown.agents]
    sources = table(["CSR by source", *(f"{name}>" for name in names)])
    for group in shown.overall.by["source"]:
        cells = (_cell(agent.summary, group.name) for agent in shown.agents)
        sources.add_row(group.name, *cells)
    console.print(sources)
    kinds = table(["kind", "broken>", "decided>", "CSR>"])
    worst = sorted(shown.overall.by["kind"], key=lambda group: -group.n_fail)
    for group in [group for group in worst if group.n_fail][:_KINDS]:
        kinds.add_row(group.name, str(group.n_fail), f"{group.csr.n:g}", _share(group.csr))
    if kinds.row_count:
        console.print(kinds)
    matrix = shown.overall.matrix
    console.print(
        f"solved and compliant {matrix.solved_compliant}, solved alone {matrix.solved_broken}, "
        f"compliant alone {matrix.unsolved_compliant}, neither {matrix.unsolved_broken}, unknown {matrix.n_unknown}"
    )
    if shown.undecided:
        console.print(f"not decided: {sum(item.n for item in shown.undecided)} items, {shown.undecided[0].why}")
    if shown.broke_off:
        broken = table(["task", "scaffold", "attempt>", "whose", "what"], title="Broken off, to be run again")
        for run in shown.broke_off[:_LINES]:
            broken.add_row(run.task, run.scaffold, str(run.attempt), run.owner, run.message)
        console.print(broken)


def comparison(found: Comparison) -> None:
    """How far two scorings agree."""
    shown = table(["items", "both decided>", "agree>", "share>", "kappa>", "not decided>", "the one/the other"])
    for row in (found.overall, *found.by_kind):
        shown.add_row(
            row.name,
            str(row.n),
            str(row.n_agreed),
            f"{100 * row.n_agreed / row.n:.1f}" if row.n else "-",
            "-" if row.kappa is None else f"{row.kappa:.2f}",
            str(row.n_undecided),
            ", ".join(f"{pair} {n}" for pair, n in row.disagreements.items()),
        )
    stdout().print(shown)


def stats(found: Stats) -> None:
    """Numbers, then counts by name."""
    shown = table(["", "n>"])
    plain = {key: value for key, value in found.model_dump().items() if not isinstance(value, dict)}
    for key, value in plain.items():
        shown.add_row(key.replace("_", " "), f"{value:g}")
    stdout().print(shown)
    for key, counts in found.model_dump().items():
        if isinstance(counts, dict) and counts:
            by = table([key.replace("_", " "), "n>"])
            for name, n in counts.items():
                by.add_row(name, str(n))
            stdout().print(by)


def _row(summary: Summary) -> tuple[str, ...]:
    rates = (summary.isr, summary.isr_programs, summary.csr_micro, summary.csr_macro, summary.solved)
    return (str(summary.n_runs), str(summary.n_failed), *map(_share, rates))


def _cell(summary: Summary, source: str) -> str:
    return next((_share(group.csr) for group in summary.by["source"] if group.name == source), "-")


def _share(rate: Rate) -> str:
    """In per cent, with its interval."""
    if rate.value is None:
        return "-"
    if rate.low is None or rate.high is None:
        return f"{100 * rate.value:.1f}"
    return f"{100 * rate.value:.1f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"

"""`agentgym score`: the options; what is done with them is in scoring.py, so that `--help` need not load it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentgym.cli.console import print_json
from agentgym.cli.options import ModelOptions, read_options
from agentgym.errors import UsageError


def score(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="SUITE|RUN.jsonl", help="Tasks with a checklist; or trajectories of such.", show_default=False
        ),
    ],
    scaffold: Annotated[str, typer.Option(metavar="NAMES", help="One or more, with commas between them.")] = "tools",
    model: Annotated[
        str | None, typer.Option(metavar="SPEC", help="KIND:REST, such as endpoint:NAME@http://localhost:8000/v1.")
    ] = None,
    option: ModelOptions = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="Model for what no program decides; replay:FILE takes recorded answers."),
    ] = None,
    judge_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="For the judge's model; may be repeated.")
    ] = None,
    judge_all: Annotated[
        bool, typer.Option("--judge-all", help="Let the judge decide what programs could, too, to compare the two.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The same runs scored otherwise: how far verdicts agree."),
    ] = None,
    votes: Annotated[int, typer.Option(min=1, metavar="K", help="The judge's, of each item.")] = 1,
    rule: Annotated[str, typer.Option(metavar="RULE", help="How votes are counted: majority or min.")] = "majority",
    price: Annotated[
        str | None, typer.Option(metavar="IN,OUT", help="Dollars of a million tokens that the judge reads and writes.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the judge's answers are kept; else in the user's cache.")
    ] = None,
    sandbox: Annotated[str, typer.Option(metavar="BACKEND", help="namespaces or docker.")] = "namespaces",
    parallel: Annotated[int, typer.Option(min=1, metavar="N", help="Episodes at once.")] = 1,
    attempts: Annotated[int, typer.Option(min=1, metavar="K", help="Episodes of each task by each scaffold.")] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trajectories with verdicts; the same file goes on from there.")
    ] = None,
    max_turns: Annotated[int, typer.Option(min=1, metavar="N", help="Model replies an episode may use.")] = 100,
    timeout_s: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="SECONDS", help="Wall clock an episode may use; else what its task says."),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Recorded; the n-th attempt has N + n.")] = None,
    online: Annotated[bool, typer.Option("--online", help="Network for the tasks that ask for it.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="Count what the suite has, and run nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Score how agents keep to their instructions, by the checklists of their tasks.

    Rolls out what --out has not yet, decides every item, and reports; OUT.report.json and OUT.report.html lie beside.
    Of RUN.jsonl the trajectories are scored as they are; a suite named with it says where their tasks lie. Exit code 0:
    every run is scored; 2: a task or an option is wrong; 3: infrastructure broke runs off, the same command runs those
    again; 130: Ctrl-C.
    """
    from agentgym.cli import compliance
    from agentgym.cli.judge import JudgeOptions
    from agentgym.cli.rolling import Run
    from agentgym.cli.scoring import compared, score_recorded, score_suite, suite_of, suite_stats

    files = [Path(name) for name in what if name.endswith((".jsonl", ".jsonl.gz"))]
    patterns = [name for name in what if Path(name) not in files]
    if stats:
        if files:
            raise UsageError(f"found {files[0]} with --stats, wanted a suite of tasks")
        found = suite_stats(patterns)
        print_json(found.model_dump()) if as_json else compliance.stats(found)
        return
    if against is not None:
        if len(files) != 1 or patterns:
            raise UsageError(f"found {', '.join(what)} with --against, wanted one file of scored trajectories")
        comparison = compared(files[0], against)
        print_json(comparison.model_dump()) if as_json else compliance.comparison(comparison)
        return
    if judge_all and judge is None:
        raise UsageError("found --judge-all without a judge, wanted --judge SPEC")
    with JudgeOptions(judge, read_options(judge_option), votes, rule, price, answers).opened() as judged:
        if files:
            scored = score_recorded(files, patterns, judged, out, parallel, judge_all=judge_all)
        else:
            run = Run(
                patterns=patterns,
                scaffolds=scaffold.split(","),
                model=model,
                options=read_options(option),
                sandbox=sandbox,
                parallel=parallel,
                attempts=attempts,
                out=out,
                max_turns=max_turns,
                timeout_s=timeout_s,
                online=online,
                seed=seed,
            )
            scored = score_suite(run, suite_of(patterns), judged, judge_all=judge_all)
    if as_json:
        print_json(scored.report.model_dump(mode="json"))
    else:
        compliance.report(scored.report)
    scored.write()
    if scored.exit_code:
        raise typer.Exit(scored.exit_code)

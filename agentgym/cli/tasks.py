"""`agentgym tasks`: list and show tasks, make new ones, derive their required tests."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from agentgym.cli.check import check
from agentgym.cli.console import busy, fail, note, print_json, stdout, table, warn
from agentgym.cli.select import ROOT, one, select_folders
from agentgym.errors import TaskError, UsageError

if TYPE_CHECKING:
    from agentgym.task import Source, Task

app = typer.Typer(help="List, show, make and check tasks.", no_args_is_help=True)
app.command("check")(check)


@app.command("list")
def list_(
    patterns: Annotated[
        list[str] | None, typer.Argument(metavar="PATTERN", help="Names, folders or globs; all when left out.")
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only this kind: bug_fix, feature, …")] = None,
    split: Annotated[str | None, typer.Option(metavar="SPLIT", help="Only this split: train or heldout.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List tasks.

    One that cannot be read gets an error's line instead, and makes the exit code 2.
    """
    from agentgym.task import load_task

    found, broken = [], []
    for folder in select_folders(patterns or [str(ROOT)]):
        try:
            task = load_task(folder)
        except TaskError as error:
            broken.append(str(error))
            continue
        if kind in (None, task.gym.kind) and split in (None, task.gym.split):
            found.append(task)
    found.sort(key=lambda task: (task.gym.suite, task.name))
    if as_json:
        print_json([_facts(task) for task in found])
    else:
        _print_table(found)
    for line in broken:
        fail(line)
    if broken:
        raise typer.Exit(2)


def _print_table(tasks: Sequence[Task]) -> None:
    shown = table(["task", "suite", "kind", "difficulty", "split", "package", "tests>"])
    for task in tasks:
        fact = _facts(task)
        cells = [str(fact[key] or "") for key in ("name", "suite", "kind", "difficulty", "split", "package")]
        shown.add_row(*cells, str(fact["fail_to_pass"] + fact["pass_to_pass"]))
    if tasks:
        stdout().print(shown)
    note(f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}")


def _facts(task: Task) -> dict[str, Any]:
    gym, package = task.gym, task.gym.source
    return {
        "name": task.name,
        "path": str(task.path),
        "suite": gym.suite,
        "kind": gym.kind,
        "difficulty": str(task.metadata.get("difficulty", "")),
        "split": gym.split,
        "package": f"{package.package} {package.version}" if package and package.package else "",
        "fail_to_pass": len(task.fail_to_pass),
        "pass_to_pass": len(task.pass_to_pass),
    }


@app.command()
def show(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name or folder of one task.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one task."""
    found = one(task)
    for key in found.unknown_keys:
        warn(f"{found.path / 'task.toml'}: unknown key {key}")
    if as_json:
        print_json(
            {
                **_facts(found),
                "checksum": found.checksum,
                "instructions": {step.name: step.instruction for step in found.steps},
                "config": found.config.model_dump(mode="json", exclude_none=True),
                "fail_to_pass": list(found.fail_to_pass),
                "pass_to_pass": list(found.pass_to_pass),
                "unknown_keys": list(found.unknown_keys),
            }
        )
        return
    facts = table(["", ""])
    facts.show_header = False
    for name, value in _settings(found).items():
        facts.add_row(Text(name, "bold"), value)
    stdout().print(facts)
    for step in found.steps:
        if found.multi_step:
            stdout().print(Text(f"── step {step.name} ──", "bold"))
        print_instruction(step.instruction)


def print_instruction(text: str) -> None:
    """Rendered on a terminal, as it is in a pipe."""
    if stdout().is_terminal:
        from rich.markdown import Markdown

        stdout().print(Markdown(text))
    else:
        print(text.rstrip("\n"), file=sys.stdout)


def _settings(task: Task) -> dict[str, str]:
    gym, environment, source = task.gym, task.config.environment, task.gym.source
    package = task.config.task
    limits = [f"{environment.memory_mb} MB memory", f"{environment.cpus:g} CPU", f"{environment.storage_mb} MB storage"]
    agent_s = task.config.agent.timeout_sec
    limits += [f"agent {agent_s:g} s" if agent_s else "agent without a limit of its own"]
    limits += [f"tests {task.config.verifier.timeout_sec:g} s", f"build {environment.build_timeout_sec:g} s"]
    rows = {
        "task": task.name,
        "folder": str(task.path),
        "about": package.description if package and package.description else "",
        "suite": f"{gym.suite} ({gym.split})" if gym.suite else gym.split,
        "kind": ", ".join(part for part in (gym.kind, str(task.metadata.get("difficulty", ""))) if part),
        "source": _origin(source) if source else "",
        "licence": gym.licence,
        "grading": gym.grading + (f", protects {', '.join(gym.protected)}" if gym.protected else ""),
        "tests": f"{len(task.fail_to_pass)} to repair, {len(task.pass_to_pass)} to leave whole",
        "test command": gym.test_command,
        "tools": ", ".join(gym.tools),
        "limits": ", ".join(limits),
        "network": environment.network,
        "checksum": task.checksum[:12],
    }
    return {name: value for name, value in rows.items() if value}


def _origin(source: Source) -> str:
    if source.package:
        return f"{source.package} {source.version}"
    return f"{source.git} at {source.commit}" if source.git else str(source.path)


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Of the task: small letters, digits and dashes.", show_default=False)
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="A folder, a git repository (path or URL) or an sdist NAME==VERSION. REPOSITORY@COMMIT: the state "
            "before that commit, with the fix and its tests from it.",
            show_default=False,
        ),
    ],
    kind: Annotated[str, typer.Option(metavar="KIND", help="bug_fix, feature or performance.")] = "bug_fix",
    patch: Annotated[
        str | None,
        typer.Option(
            metavar="fix|bug",
            help="The patch that you write: the fix, where the source has the bug, or the bug, where it is sound. "
            "[default: bug for an sdist, else fix]",
        ),
    ] = None,
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="The suite.")] = ROOT / "local",
    licence: Annotated[str, typer.Option(metavar="SPDX", help="Of the source.")] = "",
    sandbox: Annotated[
        str, typer.Option(metavar="BACKEND", help="Where an sdist is fetched: namespaces or docker.")
    ] = "namespaces",
) -> None:
    """Make a task's folder.

    Two files of it are left to write: instruction.md and a patch. From a commit that fixes something it is
    instruction.md alone. Then `agentgym tasks tests` finds the tests that grade it, and `agentgym tasks check` admits
    it.
    """
    from agentgym.backends import make_backend
    from agentgym.synthesis.new import new_task, refuse_request
    from agentgym.synthesis.origin import find_origin

    if patch not in (None, "fix", "bug"):
        raise UsageError(f'--patch: found "{patch}", wanted fix or bug')
    refuse_request(name, into, kind)
    with busy(f"reading {source}"):
        origin = find_origin(source, make_backend(sandbox))
    chosen: Literal["fix", "bug"] = "bug" if patch == "bug" or (patch is None and origin.source.package) else "fix"
    task = new_task(name, origin, into, kind=kind, patch=chosen, licence=licence)
    print(task.path)
    left = [f"write {task.path / 'instruction.md'}"]
    if chosen == "bug":
        left.append(f"write {task.path / 'environment/bug.patch'}")
    elif not origin.fix:
        left.append(f"write {task.path / 'solution/fix.patch'}, with the tests that show the bug in it")
    elif not origin.tests:
        left.append(f"write tests that show the bug to {task.path / 'tests/files'}: the commit brings none")
    left += [f"agentgym tasks tests {task.path}", f"agentgym tasks check {task.path}"]
    for number, line in enumerate(left, start=1):
        note(f"  {number}. {line}")


@app.command("tests")
def required_tests(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name or folder of one task.", show_default=False)],
    sandbox: Annotated[str, typer.Option(metavar="BACKEND", help="namespaces or docker.")] = "namespaces",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the tests that grade a task.

    They are run with the bug and with the fix, and listed in tests/tests.json. Those that come with solution/fix.patch
    move to tests/files; from environment/bug.patch the fix is derived.
    """
    from agentgym.backends import make_backend
    from agentgym.synthesis.required import derive

    found = one(task)
    with busy(f"running the tests of {found.name}"):
        required = derive(found, make_backend(sandbox))
    if as_json:
        print_json(asdict(required))
        return
    facts = table(["", ">"])
    facts.show_header = False
    facts.add_row("to repair (fail with the bug, pass with the fix)", str(len(required.fail_to_pass)))
    facts.add_row("to leave whole (pass with both)", str(len(required.pass_to_pass)))
    facts.add_row("of no use: fail with the fix, too", str(len(required.fail_to_fail)))
    facts.add_row("of no use: not the same in every run", str(len(required.unsteady)))
    facts.add_row("left out, to keep grading quick", str(required.left_out))
    stdout().print(facts)
    for test in required.fail_to_pass:
        print(f"  {test}")
    note(f"wrote {found.path / 'tests/tests.json'}")

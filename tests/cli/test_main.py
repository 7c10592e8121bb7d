"""What every command shares: names and options, exit codes, one line for a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from agentgym.cli.main import app, call
from tests.cli.conftest import Cli, command, environment

COMMANDS = {
    "": "--help --version",
    "chat": "--help --json --model --option --prompt --system",
    "doctor": "--help --json",
    "gateway": "--help --json --model --option --out --port",
    "play": "TASK --help --online --out --sandbox",
    "run": "TASK --attempts --help --json --max-turns --model --online --option --out --parallel --sandbox --scaffold --seed "
    "--timeout-s",
    "sandbox": "--help",
    "sandbox prune": "--help --images --sandbox",
    "score": "SUITE|RUN.jsonl --against --answers --attempts --help --json --judge --judge-all --judge-option "
    "--max-turns --model --online --option --out --parallel --price --rule --sandbox --scaffold --seed "
    "--stats --timeout-s --votes",
    "sft": "CONFIG --help --json --out --seed",
    "tasks": "--help",
    "tasks check": "TASK --help --json --parallel --quick --repeats --sandbox",
    "tasks list": "PATTERN --help --json --kind --split",
    "tasks new": "NAME --from --help --into --kind --licence --patch --sandbox",
    "tasks show": "TASK --help --json",
    "tasks tests": "TASK --help --json --sandbox",
    "train": "CONFIG --dry-run --help --json --out --resume --seed --simulate",
    "traj": "--help",
    "traj diff": "A FILE [B] --help --json",
    "traj export": "FILE [ID] --format --help --out --validate",
    "traj list": "FILE --help --json",
    "traj recover": "FILE --help --out",
    "traj show": "FILE [ID] --full --help --json",
    "view": "DIR --help --open --port",
}
"""Frozen: people's scripts depend on it."""


def _walk(command: Any, path: str = "") -> dict[str, str]:
    context = command.make_context(path, [], resilient_parsing=True)
    names = []
    for parameter in command.get_params(context):
        is_option = parameter.param_type_name == "option"
        names.append(max(parameter.opts, key=len) if is_option else parameter.metavar.rstrip("…"))
    found = {path: " ".join(sorted(names, key=lambda name: (name.startswith("-"), name)))}
    for name, child in getattr(command, "commands", {}).items():
        found |= _walk(child, f"{path} {name}".strip())
    return found


def test_commands_and_options_are_those_that_scripts_know() -> None:
    assert _walk(typer.main.get_command(app)) == COMMANDS


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--version"]) == 0
    assert capsys.readouterr().out.startswith("agentgym ")


@pytest.mark.parametrize("arguments", [["-h"], ["run", "--help"], ["tasks", "-h"]])
def test_help_goes_to_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) == 0
    assert capsys.readouterr().out.startswith("Usage: agentgym")


@pytest.mark.parametrize("arguments", [[], ["tasks"], ["sandbox"]])
def test_without_arguments_the_help_is_a_mistakes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) == 2
    streams = capsys.readouterr()
    assert "Usage: agentgym" in streams.err
    assert streams.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "no such command 'rnu'. Did you mean 'run'? (see `agentgym --help`)"),
        (["tasks", "lst"], "no such command 'lst'. Did you mean 'list'? (see `agentgym tasks --help`)"),
        (["run", "x", "--parallel", "0"], "invalid value for '--parallel'"),
        (["run", "x", "--paralel", "2"], "--parallel"),
        (["run"], "missing argument 'TASK' (see `agentgym run --help`)"),
        (["run", "x"], "found no task"),
        (["tasks", "list"], "found no folder tasks/ here"),
        (["sandbox", "prune", "--sandbox", "podman"], "no sandbox backend is called 'podman'"),
    ],
)
def test_mistakes_are_one_line_on_stderr(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(arguments) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("error: ")
    assert said in streams.err
    assert streams.err.count("\n") == 1


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from agentgym.cli.main import call; call(['--help'])\n"
        "print([name for name in ('agentgym.env', 'pydantic', 'docker', 'git', 'httpx', 'torch') if name in sys.modules],"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "[]\n"


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path, cli: Cli) -> None:
    running = subprocess.Popen(
        command("doctor", "--json"), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    errors = running.stderr.read().decode()
    running.stderr.close()
    assert running.wait(60) == 141
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors

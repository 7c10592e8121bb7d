"""`agentgym`: its commands put together, and every error made one line and an exit code.

0  done
1  the task failed
2  the caller can fix it: a wrong option, a broken task folder
3  infrastructure: a sandbox, a model or a verifier that did not work
130, 141  stopped by Ctrl-C; the reader of a pipe went away
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, NoReturn

import typer

from agentgym import entry
from agentgym.cli import chat, doctor, gateway, play, run, sandbox, score, tasks, traj, view
from agentgym.cli.console import fail
from agentgym.errors import AgentGymError, UsageError

USAGE, INFRASTRUCTURE, INTERRUPTED, BROKEN_PIPE = 2, 3, 130, 141

# typer carries a copy of click or needs it installed, as its version has it: this finds the class either way
_CLICK_ERRORS = tuple(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    name="agentgym",
    help="A coding-agent gym: repositories in sandboxes, language models as agents, graded by running code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("play")(play.play)
app.command("chat")(chat.chat)
app.command("gateway")(gateway.gateway)
app.command("score")(score.score)
app.command("view")(view.view)
app.add_typer(tasks.app, name="tasks")
app.add_typer(traj.app, name="traj")
app.add_typer(sandbox.app, name="sandbox")
app.command("doctor")(doctor.doctor)
for _name, _command in entry.commands().items():
    app.command(_name)(_command)


def own_version() -> str:
    try:
        return version("agentgym")
    except PackageNotFoundError:
        return "source"


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"agentgym {own_version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    code = call(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _drop_stdout()
    sys.exit(code)


def call(arguments: Sequence[str]) -> int:
    """The exit code of one command; every foreseen error is one line on stderr."""
    command = typer.main.get_command(app)
    try:
        # not command.main: it has exit codes of its own for a broken pipe and for Ctrl-C
        with command.make_context("agentgym", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:
        return _drop_stdout()
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted")
        return INTERRUPTED
    except AgentGymError as error:
        fail(str(error))
        return exit_code(error)
    except Exception as error:
        if not isinstance(error, _CLICK_ERRORS):
            raise
        return _refuse(error)
    return 0


def exit_code(error: AgentGymError) -> int:
    return USAGE if isinstance(error, UsageError) else INFRASTRUCTURE


def _refuse(error: Exception) -> int:
    """A command line that cannot be read: one line, and where to look. Without any argument: the help."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)  # type: ignore[attr-defined]
    else:
        hint = f" (see `{context.command_path} --help`)" if context is not None else ""
        message = error.format_message()  # type: ignore[attr-defined]
        fail(f"{message[:1].lower()}{message[1:].rstrip('.')}{hint}")
    return USAGE


def _drop_stdout() -> int:
    """Whoever read our stdout has gone: nothing more goes there, the interpreter's last flush included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE

"""A person in an agent's place: reads lines, takes steps in one episode, shows what comes back."""

from __future__ import annotations

import atexit
import contextlib
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.text import Text

from agentgym.backends import build_image, make_backend
from agentgym.cli.console import busy, note, stdout, table
from agentgym.cli.tasks import print_instruction
from agentgym.env import Episode, EpisodeConfig, EpisodeOver, Step
from agentgym.errors import SandboxError, UsageError
from agentgym.nearest import nearest
from agentgym.protocols import ToolCall
from agentgym.store import TrajectoryStore
from agentgym.task import Task
from agentgym.trajectory import Outcome

LIMIT_S = 7200.0
"""A session's longest, as a sandbox lives no longer."""
UNDO_STEPS = 20
"""Copies of the sandbox that are kept."""
HISTORY_LINES = 1000

# what a live bash has started: its own children and theirs; the bash itself only when they do not yield
_INTERRUPT = r"""
shell_of() { [ "$(tr '\0' ' ' < "$1/cmdline" 2> /dev/null)" = "bash --noprofile --norc " ]; }
below() {
    local child
    for child in $(cat /proc/"$1"/task/*/children 2> /dev/null); do below "$child"; echo "$child"; done
}
for process in /proc/[0-9]*; do
    shell_of "$process" || continue
    pid=${process#/proc/}
    case $1 in
        ask) targets=$(below "$pid"); signal=INT ;;
        kill) targets=$(below "$pid"); signal=KILL ;;
        shell) targets="$(below "$pid") $pid"; signal=KILL ;;
    esac
    [ -z "${targets// /}" ] || kill -"$signal" $targets 2> /dev/null
done
true
"""


class Session:
    """One episode and the lines that drive it."""

    def __init__(self, task: Task, sandbox: str, *, out: Path | None = None, online: bool = False) -> None:
        self.task = task
        self._out = out
        self._backend = make_backend(sandbox)
        # a person is slower than a model, and need not be stopped by a number of turns
        config = EpisodeConfig(max_turns=1_000_000, timeout_s=LIMIT_S, online=online)
        self._episode = Episode(task, self._backend, config=config)
        self._before: list[Episode] = []
        """Forks from before each step, oldest first."""
        self._lines: list[str] = []
        self._interactive = sys.stdin.isatty()
        self._commands: dict[str, tuple[str, Callable[[str], None]]] = {
            "help": ("this list", self._help),
            "instruction": ("the instruction again", self._show_instruction),
            "tools": ("the tools and what they take", self._tools),
            "tool": ('NAME {"argument": …}: call a tool', self._tool),
            "read": ("PATH: read a file", lambda path: self._look("read_file", {"path": path})),
            "diff": ("what has changed", lambda _: self._look("git_diff", {})),
            "test": ("run the task's own tests (not the ones that grade)", lambda _: self._call("run_tests", {})),
            "undo": ("take back what the last step did to the files", self._undo),
            "history": ("the lines so far", self._history),
            "submit": ("hand the work in, to be graded", lambda _: self._call("submit", {})),
            "quit": ("leave without grading (Ctrl-D does, too)", self._quit),
        }
        self._left = False

    def run(self) -> int:
        """The whole session; the command's exit code."""
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self._close)
            with busy(f"starting {self.task.name}"):
                build_image(self.task, self._backend)
                self._episode.start()
            self._show_instruction()
            note(
                f"\n{self.task.name} in {self._episode.workdir}: a line is a bash command, :help lists the rest", "dim"
            )
            if self._interactive:
                _use_readline()
            while not self._left and not self._episode.over:
                line = self._read()
                if line is None:
                    self._quit()
                elif line.strip():
                    self._take(line)
            if self._out is not None:
                TrajectoryStore(self._out).append(self._episode.trajectory("play", "none"))
        return self._verdict() if self._episode.over else 0

    def _close(self) -> None:
        for episode in (self._episode, *self._before):
            episode.close()

    # ------------------------------------------------------------------------------------------------- lines

    def _read(self) -> str | None:
        """One line, None at the end. Ctrl-C at the prompt drops what was typed."""
        number = len(self._lines) + 1
        while True:
            try:
                line = input(f"{number}> " if self._interactive else "")
            except EOFError:
                if self._interactive:
                    print()
                return None
            except KeyboardInterrupt:
                print()
                continue
            if not self._interactive:
                print(f"{number}> {line}")  # a transcript of piped input reads as if it had been typed
            return line

    def _take(self, line: str) -> None:
        self._lines.append(line)
        try:
            if not line.startswith(":"):
                self._call("bash", {"command": line})
                return
            name, _, rest = line[1:].partition(" ")
            if name not in self._commands:
                hint = nearest(name, list(self._commands), what="command")
                raise UsageError(f"no command :{name}{hint}; :help lists them")
            self._commands[name][1](rest.strip())
        except UsageError as error:
            note(str(error), "yellow")
        except EpisodeOver:
            note("the episode is over", "yellow")

    # ---------------------------------------------------------------------------------------------- commands

    def _help(self, _: str) -> None:
        shown = table(["", ""])
        shown.show_header = False
        shown.add_row("COMMAND", "run it in a bash that lives as long as the session")
        for name, (text, _run) in self._commands.items():
            argument, _, about = text.rpartition(": ")
            shown.add_row(f":{name} {argument}".rstrip(), about)
        shown.add_row("Ctrl-C", "interrupt the command that is running")
        stdout().print(shown)

    def _show_instruction(self, _: str = "") -> None:
        print_instruction(self._episode.instruction)

    def _tools(self, _: str) -> None:
        shown = table(["tool", "arguments", "what it does"])
        for name, tool in self._episode.pool.items():
            schema = tool.schema()
            required = schema.get("required", [])
            fields = [key if key in required else f"[{key}]" for key in schema.get("properties", {})]
            shown.add_row(name, " ".join(fields), tool.description.partition(". ")[0].rstrip("."))
        stdout().print(shown)

    def _tool(self, rest: str) -> None:
        name, _, text = rest.partition(" ")
        if not name:
            raise UsageError(':tool NAME {"argument": …}; :tools lists them')
        try:
            arguments = json.loads(text or "{}")
        except json.JSONDecodeError as error:
            raise UsageError(f'the arguments are not JSON ({error.msg}), wanted {{"argument": …}}') from None
        if not isinstance(arguments, dict):
            raise UsageError('the arguments are no object, wanted {"argument": …}')
        self._call(name, arguments)

    def _undo(self, _: str) -> None:
        if not self._before:
            raise UsageError("there is no step to undo")
        self._episode.close()
        self._episode = self._before.pop()
        note("the files are as they were before the last step; the shell is a new one", "dim")

    def _history(self, _: str) -> None:
        for number, line in enumerate(self._lines, start=1):
            print(f"{number:>4}  {line}")

    def _quit(self, _: str = "") -> None:
        self._left = True

    # ------------------------------------------------------------------------------------------------- steps

    def _call(self, name: str, arguments: dict[str, Any]) -> None:
        """A step that `:undo` takes back."""
        self._refuse_unknown(name)
        self._save()
        self._look(name, arguments)

    def _look(self, name: str, arguments: dict[str, Any]) -> None:
        """A step that changes nothing."""
        self._refuse_unknown(name)
        step = self._step(ToolCall(name, arguments))
        if step.observation:
            print(step.observation)

    def _refuse_unknown(self, name: str) -> None:
        if name not in self._episode.pool:
            why = "; the task names no test_command" if name == "run_tests" else ""
            raise UsageError(f"no tool {name}{nearest(name, list(self._episode.pool), what='tool')}{why}; "
                             ":tools lists them")  # fmt: skip

    def _save(self) -> None:
        """Keep a copy of the sandbox as it is now."""
        self._before.append(self._episode.fork())
        if len(self._before) > UNDO_STEPS:
            self._before.pop(0).close()

    def _step(self, call: ToolCall) -> Step:
        """Episode.step on a thread, so that Ctrl-C reaches the command and not us."""
        result: list[Step] = []
        failure: list[BaseException] = []
        done = threading.Event()  # Thread.join cannot be interrupted safely before Python 3.13

        def work() -> None:
            try:
                result.append(self._episode.step(call))
            except BaseException as error:
                failure.append(error)
            finally:
                done.set()

        threading.Thread(target=work, daemon=True).start()
        while not done.is_set():
            try:
                done.wait()
            except KeyboardInterrupt:
                with contextlib.suppress(KeyboardInterrupt):  # a second one asks for no more than the first
                    self._interrupt(done)
        if failure:
            raise failure[0]
        return result[0]

    def _interrupt(self, done: threading.Event) -> None:
        """Ask what the shell runs to end; what does not is killed, and the shell itself when that is of no use."""
        print()  # the terminal has written ^C
        for how in ("ask", "kill", "shell"):
            with contextlib.suppress(SandboxError):  # then the step itself will say so
                argv = ["bash", "-c", _INTERRUPT, "interrupt", how]
                self._episode.sandbox.exec(argv, user="root", cwd="/", timeout_s=10.0)
            if done.wait(1.0):
                return

    # ----------------------------------------------------------------------------------------------- verdict

    def _verdict(self) -> int:
        """Show how it ended; the exit code."""
        episode, outcome = self._episode, self._episode.outcome
        reason = episode.stop_reason
        if episode.failure is not None:
            note(f"no reward: {episode.failure.owner}: {episode.failure.message}", "yellow")
        if outcome is None or outcome.reward is None:
            return 3
        style = "bold green" if outcome.reward >= 1 else "bold red"
        stdout().print(Text.assemble((f"reward {outcome.reward:g}", style), f"  ({reason})" if reason else ""))
        _show_tests(outcome)
        return 0 if outcome.reward >= 1 else 1


def _show_tests(outcome: Outcome) -> None:
    for title, verdicts in (("to repair", outcome.fail_to_pass), ("to leave whole", outcome.pass_to_pass)):
        if verdicts:
            passed = sum(verdict == "passed" for verdict in verdicts.values())
            print(f"tests {title}: {passed} of {len(verdicts)} passed")
            for test, verdict in verdicts.items():
                if verdict != "passed":
                    stdout().print(Text.assemble("  ", (verdict, "red"), f"  {test}"))
    if not outcome.fail_to_pass and outcome.detail:
        print(outcome.detail)


def _use_readline() -> None:
    """Line editing, and a history that outlives the session."""
    import readline

    from agentgym.sandbox.cache import cache_folder

    file = cache_folder() / "play_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(HISTORY_LINES)

    def save() -> None:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(file)

    atexit.register(save)

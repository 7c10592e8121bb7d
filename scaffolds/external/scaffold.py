"""Runs an agent that is somebody else's program, in the sandbox, with the gateway as the only thing it can call.

It knows the agent by its spec alone, and reads none of its output: what the agent said and did is in the session's
calls. What the program's ending means for the episode is decided here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from agentgym.errors import AgentError, SandboxError
from agentgym.protocols import Backend, ExecResult, Sandbox, StopReason
from agentgym.tools.text import cut_middle
from scaffolds.external.install import installed, prefix
from scaffolds.external.spec import AgentSpec, fill, load_spec

if TYPE_CHECKING:
    from agentgym.env import Episode
    from agentgym.gateway import Session

HOME = "/tmp/agent-home"
"""The agent's own files lie where neither a diff of WORKDIR nor one of the whole sandbox takes them for its work."""
GRACE_S = 10.0
"""What an agent is left to end by itself once its budget is used up."""
LOG_CHARS = 1 << 16
"""Kept of what the program printed, each message's: its beginning and its end."""
_AGENTS = Path(__file__).parent / "agents"
_WRITE = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1"'


class ExternalScaffold:
    """One agent, as its spec describes it. Matches `agentgym.scaffold.Scaffold`."""

    needs_model = True

    def __init__(self, spec: AgentSpec) -> None:
        self.spec = spec
        self.name = spec.name

    @classmethod
    def from_spec(cls, rest: str) -> Self:
        """The agent of a TOML file: `external:my-agent.toml`. Raises UsageError."""
        return cls(load_spec(Path(rest)))

    def mounts(self, backend: Backend) -> Mapping[str, Path]:
        """What its sandboxes need, installed where this machine has it not. Raises UsageError, SandboxError."""
        return {prefix(self.spec): installed(self.spec, backend)} if self.spec.install else {}

    def run(self, episode: Episode, model: Session) -> None:
        """One run of the program a step of the task. Raises AgentError, ModelError, SandboxError."""
        system_args = self.spec.system_args if episode.system_prompt else ()
        command = self.spec.command
        while not episode.over:
            if not command:
                raise AgentError(f"{self.name}: the task goes on and the agent has no continue_command to go on with")
            n_asked = len(model.calls)
            with model.expose(episode.sandbox, episode.budget) as endpoint:
                values = {
                    "instruction": episode.instruction,
                    "system_prompt": episode.system_prompt,
                    "base_url": endpoint.base_url,
                    "key": endpoint.key,
                    "model": model.name,
                    "prefix": prefix(self.spec),
                    "home": HOME,
                }
                result = self._execute(episode, model, (*command, *system_args), values)
            episode.log += _log(result)
            self._judge(episode, model, result, len(model.calls) - n_asked)
            command = self.spec.continue_command

    def _execute(
        self, episode: Episode, session: Session, command: tuple[str, ...], values: Mapping[str, str]
    ) -> ExecResult:
        sandbox = episode.sandbox
        sandbox.exec(["mkdir", "-p", "-m", "700", HOME])
        for path, template in self.spec.files.items():
            text = fill(template, values, as_json=path.endswith(".json"))
            written = sandbox.exec(["bash", "-c", _WRITE, "write", f"{HOME}/{path}"], stdin=text.encode())
            if written.exit_code:
                raise AgentError(f"{self.name}: {path} cannot be written into its HOME: {written.stderr.strip()}")
        env = {name: fill(value, values) for name, value in self.spec.env.items()}
        with _ended_past_budget(sandbox, session):
            return episode.execute(
                [fill(word, values) for word in command],
                stdin=fill(self.spec.stdin, values).encode(),
                env={"HOME": HOME, **env},
                timeout_s=max(1.0, episode.budget.timeout_s or 0.0),
            )

    def _judge(self, episode: Episode, session: Session, result: ExecResult, n_calls: int) -> None:
        """Whose doing the program's end was: the limits', the model's or its own."""
        if session.failure is not None and session.failure.context_overflow:
            episode.stop(StopReason.CONTEXT_OVERFLOW)
        elif session.failure is not None:
            episode.fail(StopReason.MODEL_ERROR, session.failure)
        elif session.exceeded is not None:
            episode.stop(session.exceeded)
        elif result.timed_out:
            episode.stop(StopReason.TIMEOUT)
        elif result.exit_code:
            raise AgentError(f"{self.name} {_how_it_ended(result)}: {_last_line(result)}")
        elif n_calls == 0:
            raise AgentError(f"{self.name} ended without asking its model: {_last_line(result)}")
        else:
            episode.step("")


@contextmanager
def _ended_past_budget(sandbox: Sandbox, session: Session) -> Iterator[None]:
    """Some agents wait for ever when they are refused: GRACE_S after the budget is used up, everything inside ends."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1.0):
            if session.exceeded is not None:
                if not ended.wait(GRACE_S):
                    with suppress(SandboxError):
                        sandbox.exec("kill -KILL -1", user="root", timeout_s=10)
                return

    watching = threading.Thread(target=watch, name="agentgym-budget", daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def claude_code() -> ExternalScaffold:
    """Anthropic's Claude Code."""
    return ExternalScaffold(load_spec(_AGENTS / "claude-code.toml"))


def droid() -> ExternalScaffold:
    """Factory's Droid."""
    return ExternalScaffold(load_spec(_AGENTS / "droid.toml"))


def kilo() -> ExternalScaffold:
    """Kilo."""
    return ExternalScaffold(load_spec(_AGENTS / "kilo.toml"))


def _how_it_ended(result: ExecResult) -> str:
    signal = result.exit_code - 128
    return f"was ended by signal {signal}" if 0 < signal < 65 else f"exited with {result.exit_code}"


def _last_line(result: ExecResult) -> str:
    lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
    return lines[-1][:300] if lines else "it printed nothing"


def _log(result: ExecResult) -> str:
    """What it printed, stderr after stdout."""
    lost = "\n[it printed more than the sandbox keeps; the end is missing]\n" if result.truncated else ""
    return cut_middle(result.stdout + result.stderr, LOG_CHARS) + lost

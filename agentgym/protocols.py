"""The joints of the house: what its parts expect of one another, and nothing else.

Classes match these Protocols; they never inherit from them. Everything is synchronous: whoever wants many episodes at
once runs each in a thread (`rollout.py`), and the work itself happens in other processes anyway.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NotRequired, Protocol, TypedDict, runtime_checkable

# ---------------------------------------------------------------------------------------------------- sandbox


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use. Every limit is enforced, or the backend refuses to start."""

    memory_mb: int = 2048
    """RAM of all processes together, files written under `namespaces` included (they live in memory)."""
    cpus: float = 1.0
    """CPU seconds per second, all processes together."""
    pids: int = 512
    """Processes and threads alive at once."""
    storage_mb: int = 10240
    """Bytes the sandbox may write on top of its image."""
    output_bytes: int = 1 << 20
    """Kept of stdout and of stderr of one command, each; the rest is read and dropped, and the result says so."""


Network = Literal["none", "public"]
"""none: no interface but loopback. public: the machine's network (image builds always have it)."""


@dataclass(frozen=True, slots=True)
class Image:
    """A built environment/: what a sandbox starts from. Backends read `ref`; nobody else does."""

    backend: str
    ref: str
    """docker: an image id. namespaces: the key of the topmost layer."""
    workdir: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = "root"
    detail: Any = None


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """How to start one sandbox."""

    image: Image
    limits: Limits = Limits()
    network: Network = "none"
    env: Mapping[str, str] = field(default_factory=dict)
    """On top of the image's own."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Who owns it: shown by `agentgym sandbox list`, used by `prune`. Backends add owner_pid and created_at."""
    mounts: Mapping[str, Path] = field(default_factory=dict)
    """Absolute path inside to a folder of the host, mounted read-only: an agent's installed program, say."""
    ttl_s: float = 7200.0
    """The sandbox ends by itself this long after its start, whatever became of its owner."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command did. A sandbox's own failure is a SandboxError, never an exit code."""

    exit_code: int
    """The command's own; 128 + n when signal n ended it; 124 when it ran out of time."""
    stdout_bytes: bytes
    """As it came."""
    stderr: str
    """UTF-8, invalid bytes replaced."""
    timed_out: bool = False
    truncated: bool = False
    """More was written to stdout or stderr than is kept."""
    duration_s: float = 0.0

    @property
    def stdout(self) -> str:
        """UTF-8, invalid bytes replaced."""
        return self.stdout_bytes.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that differs from the image."""

    path: str
    """Absolute."""
    kind: Literal["added", "modified", "deleted"]


class Shell(Protocol):
    """One live bash: cwd, variables and functions persist from command to command."""

    def run(self, command: str, *, timeout_s: float = 60.0) -> ExecResult:
        """Run `command`; stdout holds stdout and stderr as they were interleaved, stderr is empty.

        On timeout everything the command started is killed; where the shell itself had to go, a fresh one
        takes its place and the result's stdout ends by saying so.
        """

    def close(self) -> None: ...


class Sandbox(Protocol):
    """An isolated place where commands run. Made by a Backend, used by one episode, safe to stop twice."""

    id: str
    spec: SandboxSpec

    def start(self) -> None:
        """Raise SandboxError when it cannot."""

    def exec(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float = 60.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stdin: bytes = b"",
        stdout_limit_bytes: int | None = None,
    ) -> ExecResult:
        """Run an argv, or a string under `bash -c`, in a process group of its own; cwd defaults to the image's WORKDIR.

        `stdout_limit_bytes`: how much of stdout is kept, None for the limits' output_bytes.
        On timeout the whole tree it started is killed, children that ignore signals included. Processes left in
        the background by a command that ended in time live on until `stop`, as in `docker exec`.
        Raises SandboxLost when the sandbox is gone.
        """

    def shell(self) -> Shell: ...

    def read(self, path: str, *, max_bytes: int = 64 << 20) -> bytes:
        """Contents of a file. FileNotFoundError, IsADirectoryError, ValueError (larger than max_bytes)."""

    def write(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Create or replace a file, its folders included."""

    def upload(self, source: Path, target: str) -> None:
        """Copy what a local folder holds into the folder `target` (created; root-owned)."""

    def download(self, source: str, target: Path) -> None:
        """Copy what the folder `source` holds into the local folder `target`; links that lead outside are skipped."""

    def pack(self, folder: str, names: Sequence[str], *, max_bytes: int = 256 << 20) -> bytes:
        """A tar of the paths `names` below `folder`: links as links, folders without what they hold.

        OSError where one does not exist, ValueError for more than max_bytes.
        """

    def listen(self, port: int = 0) -> socket.socket:
        """A TCP socket that listens on the sandbox's own 127.0.0.1 (0: on a free port) and is accepted from out here.

        The way in for the gateway: nothing of the machine's network is opened by it. The caller closes it. Once the
        sandbox has ended, its connections end and no others come: an accept without a time limit waits for ever.
        Raises SandboxError where this process may not enter the sandbox's network.
        """

    def diff(self) -> list[FileChange]:
        """Every path that differs from the image, /proc, /sys, /dev and /tmp left out, sorted by path."""

    def alive(self) -> bool: ...

    def snapshot(self) -> Image:
        """The files as they are now, as an image to start others from ("snapshot" capability); no processes."""

    def fork(self) -> Sandbox:
        """A second, started sandbox with the same files ("snapshot" capability)."""

    def stop(self) -> None:
        """End every process, free every file. Idempotent."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `agentgym doctor`."""

    name: str
    ok: bool
    detail: str
    """What was found; when not ok, also what to do."""


class Backend(Protocol):
    """A way to make sandboxes."""

    name: str

    def doctor(self) -> list[Check]:
        """What this machine has for it; the backend works when all are ok."""

    def build(self, context: Path, *, timeout_s: float = 600.0, memory_mb: int = 4096) -> Image:
        """Image of `context`/Dockerfile, from cache when nothing changed. Raises ImageError or SandboxError."""

    def image(self, reference: str) -> Image:
        """A prebuilt image by its name, fetched where the backend can. Raises ImageError or SandboxError."""

    def create(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox that is not started yet."""

    def prune(self, *, images: bool = False) -> list[str]:
        """Remove what dead owners left (and, on request, cached images); says what was removed."""


# ------------------------------------------------------------------------------------------------------ tools


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model asked for."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What it gets back."""

    content: str
    is_error: bool = False
    """The model's own mistake (bad arguments, no such file, no such tool)."""
    submitted: bool = False
    """The call handed the work in; the episode ends after it."""


class Tool(Protocol):
    """A typed action inside the sandbox."""

    name: str
    description: str

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments (an object)."""

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Validate, run, answer. Raises only SandboxError: the model's mistakes come back as results."""


@dataclass(slots=True)
class ToolContext:
    """What a tool may touch during one episode."""

    sandbox: Sandbox
    workdir: str
    timeout_s: float = 120.0
    test_command: str = ""
    """What `run_tests` runs when the call names nothing narrower."""
    state: dict[str, Any] = field(default_factory=dict)
    """One slot a tool (keyed by its name) for what must outlive a call, the live shell for one."""


# -------------------------------------------------------------------------------------------------------- model


class FunctionCall(TypedDict):
    name: str
    arguments: str
    """JSON text, as the model wrote it."""


class MessageToolCall(TypedDict):
    id: str
    type: Literal["function"]
    function: FunctionCall


class Message(TypedDict):
    """One chat message in OpenAI's shape."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[MessageToolCall]]
    tool_call_id: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0


FinishReason = Literal["stop", "length", "tool_calls", "repetition"]
"""repetition: the model fell into a loop, and its engine cut it off."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a reply was sampled as: one entry a token, the one that ended the reply included."""

    ids: Sequence[int]
    logprobs: Sequence[float]
    """Natural logarithms, under the distribution that was sampled from."""
    versions: Sequence[int]
    """The policy version that sampled it."""
    texts: Sequence[str]
    """What each adds to the text: a character whose bytes are spread over several tokens comes with the last."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One model reply."""

    message: Message
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    tokens: Tokens | None = None
    """None where the model does not show them."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a request asks for; None leaves it to the model. What a model's own options fix, a request does not move."""

    max_tokens: int | None = None
    """Of this reply, at most; the smaller of this and the model's own holds."""
    temperature: float | None = None
    top_p: float | None = None
    stop: Sequence[str] = ()
    """Texts that end the reply; they are no part of it."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply as it comes."""

    kind: Literal["reasoning", "content"]
    text: str


class Model(Protocol):
    """Anything that answers messages."""

    name: str

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Reply:
        """Answer; `tools` in OpenAI's shape. Raises ModelError after its own retries.

        A package that does not import agentgym answers with classes of its own that have the fields of ours, and raises
        what `errors.model_failures` understands.
        """


@runtime_checkable
class StreamingModel(Model, Protocol):
    """A Model that can be watched while it answers."""

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Iterator[Delta | Reply]:
        """Reasoning and content piece by piece as they come, at last the whole Reply, its tool calls included.

        Closing the iterator ends the reply early.
        """


@runtime_checkable
class WindowedModel(Model, Protocol):
    """A Model that may tell how much it can read."""

    @property
    def window_tokens(self) -> int | None:
        """Prompt and reply together; None: not known."""


class Prompt(Protocol):
    """A conversation as a TokenModel reads it. Only the model that made it knows more of it than its ids."""

    @property
    def ids(self) -> Sequence[int]: ...


@runtime_checkable
class TokenModel(Model, Protocol):
    """A Model that shows its tokens: what it reads can be told, kept and gone on from, id for id.

    The gateway holds what `render` and `extend` return. What was sampled is never encoded again.
    """

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Prompt:
        """A conversation from its beginning, up to where the next reply begins. Raises ModelError."""

    def extend(self, prompt: Prompt, sampled: Sequence[int], messages: Sequence[Message], first: int) -> Prompt:
        """`prompt`, the ids that were sampled after it, then `messages` (number `first` of the conversation and on).

        The result's ids begin with prompt.ids and sampled, byte for byte. Raises ModelError.
        """

    def sample(
        self, prompt: Prompt, tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Iterator[Delta | Reply]:
        """As `StreamingModel.stream`, from ids; the Reply has its `tokens`. Raises ModelError."""


class StopReason(StrEnum):
    """Why an episode ended."""

    SUBMITTED = "submitted"
    """The agent handed its work in."""
    SOLVED = "solved"
    """The task itself ended: its goal is reached."""
    MAX_TURNS = "max_turns"
    """As many model replies as allowed."""
    MAX_TOKENS = "max_tokens"
    """As many sampled tokens as allowed."""
    CONTEXT_OVERFLOW = "context_overflow"
    """The next prompt would not fit the model's window."""
    REPETITION = "repetition"
    """The model fell into a loop."""
    TIMEOUT = "timeout"
    """The episode's wall clock ran out."""
    PARSE_ERROR = "parse_error"
    """Replies without a readable action, more often than the scaffold forgives."""
    SANDBOX_LOST = "sandbox_lost"
    """Infrastructure: the sandbox died. Reward None."""
    MODEL_ERROR = "model_error"
    """Infrastructure: the model's server gave no reply. Reward None."""
    GRADER_ERROR = "grader_error"
    """The verifier gave no trustworthy verdict. Reward None."""
    AGENT_ERROR = "agent_error"
    """The agent's own program crashed, or gave up without asking the model. Graded, but nobody learns from it."""

    @property
    def is_graded(self) -> bool:
        """Whether what the agent left is worth something: false where infrastructure ended the episode."""
        return self not in (StopReason.SANDBOX_LOST, StopReason.MODEL_ERROR, StopReason.GRADER_ERROR)

    @property
    def trains(self) -> bool:
        """Whether the ending is the model's own doing."""
        return self.is_graded and self is not StopReason.AGENT_ERROR

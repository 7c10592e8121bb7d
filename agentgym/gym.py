"""`agentgym/Repo-v0`: an episode as a Gymnasium environment, one step a tool call, and its twin for asyncio."""

from __future__ import annotations

import asyncio
import copy
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector.utils import shared_memory

from agentgym.backends import make_backend
from agentgym.env import Episode, EpisodeConfig, EpisodeOver
from agentgym.errors import UsageError
from agentgym.protocols import Backend, ToolCall
from agentgym.task import Task, find_tasks
from agentgym.tools import ToolPool

OBSERVATION_CHARS = 1 << 17
ACTION_CHARS = 1 << 17


class Text(spaces.Text):
    """Any text up to a length; what it samples are tool calls of `pool`, since random letters are no action."""

    def __init__(self, max_length: int, pool: ToolPool | None = None) -> None:
        super().__init__(max_length, min_length=0)
        self._pool = pool

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        if not self._pool:
            return str(super().sample(mask))
        name = list(self._pool)[int(self.np_random.integers(len(self._pool)))]
        return json.dumps({"name": name, "arguments": {}})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.max_length == other.max_length

    def __repr__(self) -> str:
        return f"Text(0, {self.max_length})"


def _flatten(space: Text, x: str) -> npt.NDArray[np.int32]:
    flat = np.full(space.max_length, -1, np.int32)
    flat[: len(x)] = np.frombuffer(x.encode("utf-32-le", "surrogatepass"), "<i4")
    return flat


def _unflatten(space: Text, x: npt.NDArray[np.int32]) -> str:
    return x[x >= 0].astype("<i4").tobytes().decode("utf-32-le", "surrogatepass")


class _Shared(Sequence[str]):
    """The texts that the workers of an AsyncVectorEnv write. It reads them once, when there are none, and hands out a
    copy of that after each step (Gymnasium issue 1164): so it is the copy that reads them here."""

    def __init__(self, space: Text, memory: Any, n: int = 1) -> None:
        self._space = space
        self._rows = np.frombuffer(memory.get_obj(), np.int32).reshape(n, space.max_length)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        texts = tuple(_unflatten(self._space, row) for row in self._rows)
        return texts[index]

    def __deepcopy__(self, memo: Any) -> tuple[str, ...]:
        return tuple(self[:])


# as arrays Gymnasium's own texts are places in a charset; ours are code points, and -1 after the end
spaces.flatten.register(Text, _flatten)
spaces.unflatten.register(Text, _unflatten)
shared_memory.read_from_shared_memory.register(Text, _Shared)  # type: ignore[arg-type]  # a tuple when copied


class RepoEnv(gymnasium.Env[str, str | ToolCall]):
    """Action: a tool call, as JSON text `{"name": …, "arguments": {…}}` or a ToolCall; any other text is the final
    answer. Observation: the text that the model will read, the instruction at first.

    terminated: the work was handed in. truncated: a limit, or a lost sandbox. The reward is 0 until the episode is
    over, then the verifier's; where infrastructure took it away it is NaN, and info["error"] says why.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 -- as Gymnasium declares it
        "render_modes": ["ansi"],
        "render_fps": 1,  # means nothing to text, and its absence makes Gymnasium warn
    }

    def __init__(
        self,
        task: Task | Path | str | Sequence[Task],
        sandbox: Backend | str = "namespaces",
        *,
        tools: ToolPool | Sequence[str] | None = None,
        config: EpisodeConfig | None = None,
        render_mode: str | None = None,
    ) -> None:
        """`task`: a task, a folder, a name or a pattern; of several, `reset` draws one by its seed, or takes the one
        named in options={"task": name}."""
        self.tasks = _tasks(task)
        self.backend = make_backend(sandbox) if isinstance(sandbox, str) else sandbox
        self.config = config
        self.render_mode = render_mode
        self.pool = tools if isinstance(tools, ToolPool) or tools is None else ToolPool.default().select(tools)
        self.action_space = Text(ACTION_CHARS, self.pool or ToolPool.default().without("submit", "run_tests"))
        self.observation_space = Text(OBSERVATION_CHARS)
        self.episode: Episode | None = None
        self._transcript: list[str] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start over in a fresh sandbox. Raises TaskError, ImageError, SandboxError."""
        super().reset(seed=seed)
        self.close()
        task = self._choose((options or {}).get("task"))
        episode = Episode(task, self.backend, pool=self.pool, config=self.config, seed=seed)
        try:
            observation = _fit(episode.start())
        except BaseException:
            episode.close()
            raise
        self.episode = episode
        self._transcript = [observation]
        info = {
            "task": task.name,
            "system_prompt": episode.system_prompt,  # what the task wants said in it
            "workdir": episode.workdir,
            "tools": list(episode.pool),
        }
        return observation, info

    def _choose(self, name: str | None) -> Task:
        if name is None:
            return self.tasks[int(self.np_random.integers(len(self.tasks)))]
        for task in self.tasks:
            if task.name == name:
                return task
        raise UsageError(
            f"no task of this environment is called {name!r}; it has {', '.join(t.name for t in self.tasks)}"
        )

    def step(self, action: str | ToolCall) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if self.episode is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        shown = action if isinstance(action, str) else f"{action.name} {action.arguments}"
        try:
            try:
                result = self.episode.step(_parse(action))
            except _Unreadable as problem:
                result = self.episode.refuse(shown, str(problem))
        except EpisodeOver:
            result = self.episode.last_step()
        observation = _fit(result.observation)
        self._transcript += [f"> {shown}", observation]
        reward = math.nan if result.reward is None else result.reward
        return observation, reward, result.terminated, result.truncated, result.info

    def render(self) -> str | None:
        """The episode so far, for `render_mode="ansi"`."""
        return "\n\n".join(self._transcript) if self.render_mode == "ansi" else None

    def fork(self) -> RepoEnv:
        """A second environment that goes on from here (see Episode.fork)."""
        if self.episode is None:
            raise gymnasium.error.ResetNeeded("call reset() before fork()")
        twin = RepoEnv(self.tasks, self.backend, tools=self.pool, config=self.config, render_mode=self.render_mode)
        twin.episode = self.episode.fork()
        twin._transcript = list(self._transcript)
        twin.np_random = copy.deepcopy(self.np_random)
        return twin

    def close(self) -> None:
        if self.episode is not None:
            self.episode.close()
            self.episode = None


class AsyncRepoEnv:
    """RepoEnv for asyncio: the same calls, awaitable, each environment on a thread of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.env = RepoEnv(*args, **kwargs)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="agentgym-env")
        self._closed = False

    async def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self.env.reset(seed=seed, options=options))

    async def step(self, action: str | ToolCall) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.env.step, action)

    async def close(self) -> None:
        """For good; after what still runs. Idempotent."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self.env.close)
            self._thread.shutdown()


def _tasks(task: Task | Path | str | Sequence[Task]) -> list[Task]:
    if isinstance(task, Task):
        return [task]
    return find_tasks(task) if isinstance(task, Path | str) else list(task)


def _fit(text: str) -> str:
    if len(text) <= OBSERVATION_CHARS:
        return text
    half = OBSERVATION_CHARS // 2 - 100
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"


class _Unreadable(Exception):
    """The action is neither a tool call nor plain text. The message is for the model."""


def _parse(action: str | ToolCall) -> ToolCall | str:
    if not isinstance(action, str) or not action.lstrip().startswith("{"):
        return action
    wanted = 'Wanted {"name": …, "arguments": {…}}.'
    try:
        call = json.loads(action)
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"The action starts like a tool call but is not JSON: {error}. {wanted}") from None
    if not isinstance(call.get("name"), str) or not isinstance(call.get("arguments", {}), dict):
        raise _Unreadable(f"The action is a JSON object with {', '.join(sorted(call)) or 'nothing in it'}. {wanted}")
    return ToolCall(call["name"], call.get("arguments", {}), str(call.get("id", "")))

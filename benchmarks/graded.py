"""Many answers to tasks of the family of repairs at once: one batch of the engine, one command in one sandbox.

What an episode does to one task is done to hundreds, for benchmarks that count train steps and not seconds: the same
prompts, the same edits, the same calls that decide, in 5 ms an answer. `rl/` does it through episodes.
"""

from __future__ import annotations

import inspect
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentgym.backends import build_image, make_backend
from agentgym.protocols import Sandbox, SandboxSpec
from agentgym.synthesis.repairs import running
from agentgym.synthesis.repairs.edit import Edit, EditError
from agentgym.synthesis.repairs.family import Split, sample
from agentgym.synthesis.repairs.folder import instruction, write_repair
from agentgym.synthesis.repairs.repair import Repair
from policy.chat import Renderer
from policy.engine import SamplingParams, ThreadedEngine
from scaffolds.repair import prompt

MAX_TOKENS = 24
_TIMEOUT_S = 120.0

_DRIVER = """
import json, os, signal

for source, calls in json.load(sys.stdin):
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        signal.setitimer(signal.ITIMER_PROF, 1.0)
        said = []
        try:
            function = compiled(source)
            said = [outcome(function, eval(call))[:1000] for call in calls]
        finally:
            os.write(theirs, json.dumps(said).encode())
            os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    print(os.read(ours, 1 << 16).decode() or "[]")
    os.close(ours)
"""


@dataclass(frozen=True)
class Answer:
    """One rollout of one turn."""

    prompt_ids: Sequence[int]
    ids: Sequence[int]
    """Sampled, the token that ends the reply included."""
    logprobs: Sequence[float]
    reward: float


class Grader:
    """One sandbox for all that policies write."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def rewards(self, repairs: Sequence[Repair], texts: Sequence[str]) -> list[float]:
        """1 where a reply is an edit after which every call gives what it should. Raises SandboxError."""
        edited = [_edited(repair, text) for repair, text in zip(repairs, texts, strict=True)]
        calls = [[repr(case.arguments) for case in repair.cases] for repair in repairs]
        asked = [(source, some) for source, some in zip(edited, calls, strict=True) if source is not None]
        program = inspect.getsource(running) + _DRIVER
        done = self._sandbox.exec(
            ["python3", "-I", "-S", "-c", program], stdin=json.dumps(asked).encode(), timeout_s=_TIMEOUT_S
        )
        if done.exit_code:
            raise RuntimeError(f"the grader ended with {done.exit_code}: {done.stderr}")
        said = iter(done.stdout.splitlines())
        return [
            float(source is not None and json.loads(next(said)) == [case.wanted for case in repair.cases])
            for source, repair in zip(edited, repairs, strict=True)
        ]


@contextmanager
def grader() -> Iterator[Grader]:
    """Started. Raises SandboxError, ImageError."""
    backend = make_backend("namespaces")
    with tempfile.TemporaryDirectory() as folder:
        task = write_repair(sample(Split.TRAIN, random.Random(0)), Split.TRAIN, Path(folder) / "task")
        sandbox = backend.create(SandboxSpec(build_image(task, backend)))
    sandbox.start()
    try:
        yield Grader(sandbox)
    finally:
        sandbox.stop()


def answered(
    repairs: Sequence[Repair], n: int, engine: ThreadedEngine, renderer: Renderer, graded_by: Grader, *, seed: int
) -> list[list[Answer]]:
    """`n` answers to each."""
    prompts = [
        renderer.render([{"role": "user", "content": prompt(instruction(repair), repair.broken)}]).ids
        for repair in repairs
    ]
    streams = [
        engine.stream(
            ids,
            SamplingParams(
                max_tokens=MAX_TOKENS, stop_ids=renderer.stop_ids, seed=random.Random(f"{seed} {k} {i}").getrandbits(31)
            ),
        )
        for k, ids in enumerate(prompts)
        for i in range(n)
    ]
    sampled = [list(stream) for stream in streams]
    texts = [
        renderer.tokenizer.decode([token.id for token in tokens if token.id not in renderer.stop_ids])
        for tokens in sampled
    ]
    rewards = graded_by.rewards([repair for repair in repairs for _ in range(n)], texts)
    answers = [
        Answer(prompts[at // n], [token.id for token in tokens], [token.logprob for token in tokens], reward)
        for at, (tokens, reward) in enumerate(zip(sampled, rewards, strict=True))
    ]
    return [answers[at : at + n] for at in range(0, len(answers), n)]


def _edited(repair: Repair, text: str) -> str | None:
    try:
        return Edit.parse(text).apply(repair.broken)
    except EditError:
        return None

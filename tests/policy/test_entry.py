"""`policy:` as a model: a tiny random checkpoint for what must hold, the real SmolLM2 once for what must work."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from agentgym.backends import make_backend
from agentgym.entry import make_model
from agentgym.env import EpisodeConfig
from agentgym.errors import ModelError, UsageError, model_failures
from agentgym.protocols import Model, StreamingModel
from agentgym.rollout import Job, rollouts
from agentgym.task import load_task
from policy.checkpoint import save
from policy.config import PolicyConfig
from policy.engine import FinishReason
from policy.entry import PolicyError, PolicyModel, Reply
from policy.model import Decoder
from scaffolds.bash import BashScaffold
from tests.policy.vocabularies import smollm2_tokenizer
from tests.require import unavailable

WINDOW = 512
USER = {"role": "user", "content": "hi"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with SmolLM2's vocabulary and next to no weights."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny-llama"
    torch.manual_seed(0)
    config = PolicyConfig.of(
        {"vocab_size": 49152, "embed_dim": 16, "n_heads": 2, "n_kv_heads": 1, "head_dim": 8, "ffn_dim": 16,
         "max_context": WINDOW, "layers": [{}], "rope": {"theta": 10000.0, "rotary_dim": 8}, "norm_eps": 1e-5, "tie_embeddings": True}
    )  # fmt: skip
    save(Decoder(config), folder, model_type="llama")
    smollm2_tokenizer().save(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Iterator[PolicyModel]:
    made = PolicyModel.from_spec(str(folder), {"max_tokens": 60, "seed": 3, "parallel": 4})
    yield made
    made.close()


def test_what_policy_may_import() -> None:
    """agentgym finds it by name; it may not know agentgym, not even for a type."""
    files = (Path(__file__).parents[2] / "policy").rglob("*.py")
    imports = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not [name for name in imports if name.split(".")[0] in ("agentgym", "rl", "scaffolds")]


def test_a_reply(folder: Path) -> None:
    model = make_model(f"policy:{folder}", {"max_tokens": 5, "temperature": 0})
    assert isinstance(model, StreamingModel)
    assert model.name == "tiny-llama"
    reply = model.reply([USER])
    assert reply.message["role"] == "assistant"
    assert (reply.finish_reason, reply.usage.completion_tokens) == ("length", 5)
    assert reply.usage.prompt_tokens == len(model.renderer.render([USER]).ids)  # type: ignore[attr-defined]
    model.close()  # type: ignore[attr-defined]


def test_the_stream_is_the_reply(model: PolicyModel) -> None:
    pieces = list(model.stream([USER]))
    last = pieces[-1]
    assert isinstance(last, Reply)
    assert all(isinstance(piece, str) for piece in pieces[:-1])
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == last.message["content"]


def test_the_next_turn_extends_what_was_sampled(model: PolicyModel) -> None:
    """Random weights sample ids that no encoding would give; they are in the next prompt as they were."""
    first = model.reply([USER])
    asked = [USER, first.message, {"role": "user", "content": "more"}]
    prompt = model._prompt(asked, ())
    n = len(model.renderer.render([USER]).ids)
    assert prompt.ids[:n] == model.renderer.render([USER]).ids
    sampled = prompt.ids[n : n + first.usage.completion_tokens]
    assert model.renderer.parse(sampled).content == first.message["content"]
    assert list(sampled) != model.renderer.tokenizer.encode(first.message["content"])
    before = model.engine.metrics().reused_tokens
    model.reply(asked)
    assert model.engine.metrics().reused_tokens >= before + 64  # whole pages of 32, of prompt and reply alike


def test_a_seed_repeats_itself_and_attempts_differ(folder: Path) -> None:
    """However the threads are scheduled: four attempts at one conversation are the same four replies."""

    def attempts(seed: int) -> list[str]:
        model = PolicyModel.from_spec(str(folder), {"max_tokens": 6, "seed": seed, "parallel": 4})
        said: list[str] = []
        threads = [
            threading.Thread(target=lambda: said.append(model.reply([USER]).message["content"])) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        model.close()
        return sorted(said)

    first = attempts(1)
    assert len(set(first)) == 4
    assert attempts(1) == first
    assert attempts(2) != first


def test_a_prompt_longer_than_the_window_is_an_overflow(model: PolicyModel) -> None:
    long = [{"role": "user", "content": "word " * WINDOW}]
    with pytest.raises(PolicyError, match=f"leaves no room for a reply in tiny-llama's window of {WINDOW}"):
        model.reply(long)
    with pytest.raises(ModelError) as caught, model_failures():
        model.reply(long)
    assert caught.value.context_overflow
    with pytest.raises(ModelError) as caught, model_failures():
        model.reply([{"role": "user", "content": 3}])
    assert not caught.value.context_overflow


def test_a_reply_ends_at_the_windows_end(folder: Path) -> None:
    model = PolicyModel.from_spec(str(folder), {"window_tokens": 40})
    reply = model.reply([USER])
    assert reply.finish_reason == "length"
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == model.window_tokens == 40
    model.close()


def test_a_stream_that_is_closed_is_cancelled(folder: Path) -> None:
    model = PolicyModel.from_spec(str(folder), {"max_tokens": 400})
    pieces = model.stream([USER])
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    model.reply([{"role": "user", "content": "again"}])
    finished = model.engine.metrics().finished
    assert finished["cancelled"] == 1
    assert model.engine.metrics().pages_used == 0
    model.close()


def test_tool_calls_are_read(folder: Path) -> None:
    model = PolicyModel.from_spec(str(folder), {})
    ids = model.renderer.tokenizer.encode('<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>')
    prompt = model._prompt([USER], ())
    reply = model._take([USER], (), prompt, ids, FinishReason.STOP)
    assert reply.finish_reason == "tool_calls"
    assert model._take([USER], (), prompt, ids, FinishReason.REPETITION).finish_reason == "repetition"
    assert json.loads(reply.message["tool_calls"][0]["function"]["arguments"]) == {"x": 1}
    model.close()


@pytest.mark.parametrize(
    ("rest", "options", "said"),
    [
        ("smolm2", {}, r'no known name \(smollm2\), did you mean "smollm2"'),
        ("smollm2", {"temprature": 1}, r'no option "temprature" \(nearest known option: "temperature"\)'),
        ("smollm2", {"zzz": 1}, r'no option "zzz" \(known: cache_tokens, device, dtype, max_tokens'),
        ("smollm2", {"top_p": 0}, "option top_p: Input should be greater than 0, found 0"),
        (
            "smollm2",
            {"dtype": "int8"},
            "option dtype: Input should be 'float32', 'bfloat16' or 'float16', found 'int8'",
        ),
        ("smollm2", {"device": "gpu"}, "device 'gpu' cannot be used"),
    ],
)
def test_mistakes_are_one_line(rest: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        make_model(f"policy:{rest}", options)
    assert "\n" not in str(caught.value)


def test_sizes_that_do_not_go_together_are_one_line(folder: Path) -> None:
    with pytest.raises(UsageError, match=f"window_tokens 4096 is more than the model's max_context {WINDOW}"):
        make_model(f"policy:{folder}", {"window_tokens": 4096})


@pytest.fixture(scope="module")
def smollm2() -> Iterator[PolicyModel]:
    made = PolicyModel.from_spec("smollm2", {"temperature": 0, "max_tokens": 12})
    yield made
    made.close()


def test_the_real_smollm2_answers(smollm2: PolicyModel) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
    reply = smollm2.reply(messages)
    assert "Paris" in reply.message["content"]
    assert reply.finish_reason == "stop"
    # the same conversation again finds its prompt computed
    assert "".join(p for p in smollm2.stream(messages) if isinstance(p, str)) == reply.message["content"]
    assert smollm2.engine.metrics().reused_tokens >= 32


def test_the_real_smollm2_steps_through_tasks(smollm2: PolicyModel, tmp_path: Path) -> None:
    """Two episodes at once, in real sandboxes, through one engine."""
    backend = make_backend("namespaces")
    if failed := [f"{check.name}: {check.detail}" for check in backend.doctor() if not check.ok]:
        unavailable("namespaces", "; ".join(failed))
    for name, content in {
        "task.toml": '[metadata.agentgym]\ngrading = "diff"\n[environment]\nmemory_mb = 256\n',
        "instruction.md": "Make `answer.txt` say right.\n",
        "environment/Dockerfile": "FROM python:3.11-bookworm\nWORKDIR /app\nRUN echo wrong > answer.txt\n",
        "tests/test.sh": "#!/bin/bash\ngrep -q right answer.txt && echo 1 > /logs/verifier/reward.txt || "
        "echo 0 > /logs/verifier/reward.txt\n",
    }.items():
        file = tmp_path / "task" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    task = load_task(tmp_path / "task")
    jobs = [Job(task, BashScaffold(), cast(Model, smollm2), attempt) for attempt in range(2)]
    before = smollm2.engine.metrics()
    ended = list(rollouts(jobs, backend, parallel=2, config=EpisodeConfig(max_turns=2)))
    assert [(t.model, t.reward, t.stop_reason, t.error) for t in ended] == [("smollm2", 0.0, "max_turns", None)] * 2
    assert all(turn.usage.completion_tokens and turn.message["content"] for t in ended for turn in t.turns)
    after = smollm2.engine.metrics()
    prompts = [turn.usage.prompt_tokens for t in ended for turn in t.turns]
    # a second turn's prompt is the first's and what came of it: only what is new was computed
    assert after.reused_tokens - before.reused_tokens >= min(prompts) * 0.9
    assert after.pages_used == 0

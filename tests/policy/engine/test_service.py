import asyncio
import math
import threading
import time

import pytest
import torch

from policy.engine import (
    Engine,
    EngineConfig,
    EngineError,
    EngineStopped,
    FinishReason,
    QueueFull,
    RequestError,
    SamplingParams,
)
from tests.policy.engine import tiny


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_ragged_batch_is_sampled_from_what_a_forward_without_cache_computes(kind: str) -> None:
    decoder, prompts = tiny.model(kind), tiny.prompts(10)
    params = [
        SamplingParams(max_tokens=10 + i, temperature=(0.0, 1.0, 0.7)[i % 3], seed=i) for i in range(len(prompts))
    ]

    async def use(engine: Engine) -> None:
        generations = [engine.generate(ids, each) for ids, each in zip(prompts, params, strict=True)]
        for generation in generations:
            assert await generation.wait() is FinishReason.LENGTH
        assert engine.metrics().reused_tokens > 0
        for ids, each, generation in zip(prompts, params, generations, strict=True):
            assert len(generation.tokens) == each.max_tokens
            wanted = tiny.logprobs(decoder, ids + generation.ids, len(ids), each.temperature or 1.0)
            found = [token.logprob for token in generation.tokens]
            assert found == pytest.approx(wanted, abs=2e-5)

    tiny.serve(decoder, tiny.config(kind), use)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_rest_of_the_batch_changes_no_greedy_token(kind: str) -> None:
    decoder, prompts = tiny.model(kind), tiny.prompts(8)

    async def alone(engine: Engine) -> list[list[int]]:
        return [(await tiny.complete(engine, ids)).ids for ids in prompts]

    async def together(engine: Engine) -> list[list[int]]:
        generations = [engine.generate(ids, tiny.GREEDY) for ids in prompts]
        return [generation.ids for generation in generations if await generation.wait()]

    apart = tiny.serve(decoder, tiny.config(kind, prefix_reuse=False, step_tokens=128), alone)
    assert tiny.serve(decoder, tiny.config(kind), together) == apart


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_reused_prefix_gives_what_a_computed_one_gives(kind: str) -> None:
    decoder, (ids,) = tiny.model(kind), tiny.prompts(1, shared=50, longest=60)

    async def use(engine: Engine) -> None:
        cold = await tiny.complete(engine, ids)
        warm = await tiny.complete(engine, ids)
        assert (cold.reused_tokens, warm.reused_tokens) == (0, (len(ids) - 1) // tiny.PAGE * tiny.PAGE)
        assert warm.ids == cold.ids
        assert [t.logprob for t in warm.tokens] == pytest.approx([t.logprob for t in cold.tokens], abs=1e-5)
        # the next turn begins with all of this one
        turn = await tiny.complete(engine, ids + cold.ids + [1, 2, 3])
        assert turn.reused_tokens >= warm.reused_tokens
        assert [t.logprob for t in turn.tokens] == pytest.approx(
            tiny.logprobs(decoder, ids + cold.ids + [1, 2, 3, *turn.ids], len(ids) + len(cold.ids) + 3), abs=2e-5
        )

    tiny.serve(decoder, tiny.config(kind), use)


def test_without_prefix_reuse_nothing_is_kept() -> None:
    (ids,) = tiny.prompts(1)

    async def use(engine: Engine) -> None:
        for _ in range(2):
            assert (await tiny.complete(engine, ids)).reused_tokens == 0
        assert engine.metrics().pages_idle == 0

    tiny.serve(tiny.model("mixed"), tiny.config(prefix_reuse=False), use)


def test_a_prompt_that_many_ask_at_once_is_computed_once() -> None:
    (ids,) = tiny.prompts(1, shared=48, longest=50)

    async def use(engine: Engine) -> None:
        generations = [engine.generate(ids, SamplingParams(max_tokens=4, seed=i)) for i in range(6)]
        reused = [generation.reused_tokens for generation in generations if await generation.wait()]
        assert reused == [0, 48, 48, 48, 48, 48]

    tiny.serve(tiny.model(), tiny.config(), use)


@pytest.mark.parametrize("kind", ["softmax", "mixed"])
def test_when_pages_run_out_somebody_waits_and_all_get_the_same_tokens(kind: str) -> None:
    decoder, prompts = tiny.model(kind), tiny.prompts(6, shared=0, longest=30)
    params = SamplingParams(temperature=0.0, max_tokens=40)

    async def use(engine: Engine) -> tuple[list[list[int]], int]:
        generations = [engine.generate(ids, params) for ids in prompts]
        for generation in generations:
            assert await generation.wait() is FinishReason.LENGTH
        return [generation.ids for generation in generations], engine.metrics().preemptions

    plenty, none = tiny.serve(decoder, tiny.config(kind), use)
    scarce, some = tiny.serve(decoder, tiny.config(kind, cache_tokens=12 * tiny.PAGE), use)
    assert (none, scarce) == (0, plenty)
    assert some > 0


@pytest.mark.parametrize("kind", ["softmax", "mixed"])
@pytest.mark.parametrize("kv_on_update", ["keep", "recompute"])
def test_new_weights_in_mid_generation(kind: str, kv_on_update: str) -> None:
    decoder, (ids,) = tiny.model(kind), tiny.prompts(1, shared=30, longest=40)
    old = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    new = tiny.model(kind, seed=7).state_dict()

    async def use(engine: Engine) -> None:
        generation = engine.generate(ids, SamplingParams(temperature=0.0, max_tokens=30))
        async for _ in generation:
            if len(generation.tokens) >= 5:
                break
        await engine.update_weights(new, version=3)
        await generation.wait()
        versions = [token.version for token in generation.tokens]
        n_old = versions.count(0)
        assert versions == [0] * n_old + [3] * (30 - n_old)
        assert 5 <= n_old < 30
        found = [token.logprob for token in generation.tokens]
        # the model has the new weights now
        under_new = tiny.logprobs(decoder, ids + generation.ids, len(ids))
        decoder.load_state_dict(old)
        under_old = tiny.logprobs(decoder, ids + generation.ids, len(ids))
        assert found[:n_old] == pytest.approx(under_old[:n_old], abs=2e-5)
        same = found[n_old:] == pytest.approx(under_new[n_old:], abs=2e-5)
        assert same == (kv_on_update == "recompute")
        assert engine.metrics().version == 3
        assert engine.metrics().updates == 1
        # what the old weights computed is nobody's prefix any more
        decoder.load_state_dict(new)
        again = await tiny.complete(engine, ids)
        assert [t.logprob for t in again.tokens] == pytest.approx(
            tiny.logprobs(decoder, ids + again.ids, len(ids)), abs=2e-5
        )

    tiny.serve(decoder, tiny.config(kind, kv_on_update=kv_on_update), use)


def test_an_update_may_be_a_function_and_has_to_fit() -> None:
    decoder = tiny.model()

    def halve(model: torch.nn.Module) -> None:
        for parameter in model.parameters():
            parameter.mul_(0.5)

    async def use(engine: Engine) -> None:
        before = decoder.embedding.weight.clone()
        await engine.update_weights(halve, 1)
        assert torch.equal(decoder.embedding.weight, before / 2)
        with pytest.raises(RequestError, match="version 1 is not above 1"):
            await engine.update_weights(halve, 1)
        state = decoder.state_dict()
        state["embedding.weight"] = torch.zeros(3, 3)
        with pytest.raises(RequestError, match=r"embedding.weight is \(3, 3\), not \(97, 48\).*nothing was changed"):
            await engine.update_weights(state, 2)
        assert engine.version == 1
        assert len((await tiny.complete(engine, [1, 2])).ids) == 12

    tiny.serve(decoder, tiny.config(), use)


@pytest.mark.parametrize("kind", ["softmax", "mixed"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_interrupted_request_goes_on_as_if_nothing_had_been(kind: str, temperature: float) -> None:
    decoder, (ids,) = tiny.model(kind), tiny.prompts(1, shared=30, longest=40)
    params = SamplingParams(temperature=temperature, seed=5, max_tokens=25)

    async def use(engine: Engine) -> None:
        whole = await tiny.complete(engine, ids, params)
        generation = engine.generate(ids, params)
        got = [await anext(generation) for _ in range(3)]
        generation.interrupt()
        assert await generation.wait() is FinishReason.INTERRUPTED
        assert engine.metrics().running == 0
        got += [token async for token in generation]
        assert 3 <= len(got) < 25
        generation.resume()
        got += [token async for token in generation]
        assert generation.finish_reason is FinishReason.LENGTH
        assert [token.id for token in got] == generation.ids == whole.ids
        with pytest.raises(EngineError, match="only an interrupted request can be resumed; this one is length"):
            generation.resume()

    tiny.serve(decoder, tiny.config(kind), use)


def test_a_seed_decides_whatever_else_runs() -> None:
    decoder, prompts = tiny.model(), tiny.prompts(5)
    params = SamplingParams(max_tokens=15, seed=11, top_p=0.9, top_k=30)

    async def use(engine: Engine) -> None:
        alone = await tiny.complete(engine, prompts[0], params)
        crowd = [engine.generate(ids, SamplingParams(max_tokens=20)) for ids in prompts[1:]]
        among = await tiny.complete(engine, prompts[0], params)
        for generation in crowd:
            await generation.wait()
        assert among.ids == alone.ids
        other = await tiny.complete(engine, prompts[0], params.model_copy(update={"seed": 12}))
        assert other.ids != alone.ids
        fresh = [await tiny.complete(engine, prompts[0], SamplingParams(max_tokens=15)) for _ in range(2)]
        assert fresh[0].ids != fresh[1].ids
        told = await tiny.complete(engine, prompts[0], SamplingParams(max_tokens=15, seed=fresh[0].seed))
        assert told.ids == fresh[0].ids

    tiny.serve(decoder, tiny.config(), use)


def test_why_a_request_ends() -> None:
    decoder, (ids,) = tiny.model(max_context=64), tiny.prompts(1)

    async def use(engine: Engine) -> None:
        free = await tiny.complete(engine, ids, SamplingParams(temperature=0.0))
        assert free.finish_reason is FinishReason.CONTEXT_OVERFLOW
        assert len(ids) + len(free.ids) == 64

        stop = free.ids[4]
        first = free.ids.index(stop)
        stopped = await tiny.complete(engine, ids, SamplingParams(temperature=0.0, stop_ids=frozenset([stop])))
        assert (stopped.finish_reason, stopped.ids) == (FinishReason.STOP, free.ids[: first + 1])

        hook = SamplingParams(temperature=0.0, stop_when=lambda sampled: len(sampled) == 7)
        assert (await tiny.complete(engine, ids, hook)).ids == free.ids[:7]

        bland = SamplingParams(temperature=0.0, repetition_tokens=6, repetition_probability=1e-6)
        repeated = await tiny.complete(engine, ids, bland)
        assert (repeated.finish_reason, repeated.ids) == (FinishReason.REPETITION, free.ids[:6])

        # a run that a doubtful token breaks begins anew
        sure = [math.exp(token.logprob) for token in free.tokens]
        threshold = sorted(sure)[len(sure) // 2]
        runs, length = [], 0
        for p in sure:
            length = length + 1 if p > threshold else 0
            runs.append(length)
        longest = max(runs)
        assert longest < len(sure) // 2
        params = SamplingParams(temperature=0.0, repetition_tokens=longest, repetition_probability=threshold)
        assert len((await tiny.complete(engine, ids, params)).ids) == runs.index(longest) + 1

    tiny.serve(decoder, tiny.config(), use)


@pytest.mark.parametrize("kind", ["softmax", "mixed"])
def test_32_requests_with_cancellations_leak_nothing(kind: str) -> None:
    decoder, prompts = tiny.model(kind), tiny.prompts(32)

    async def use(engine: Engine) -> None:
        async def one(i: int) -> FinishReason:
            async with engine.generate(prompts[i], SamplingParams(max_tokens=20, seed=i)) as generation:
                if i % 3 == 0:
                    await asyncio.sleep(0.002 * i)
                elif i % 3 == 1:
                    await anext(generation)
                else:
                    return await generation.wait()
            return await generation.wait()

        reasons = await asyncio.gather(*(one(i) for i in range(32)))
        assert reasons.count(FinishReason.CANCELLED) >= 11
        assert all(reason is FinishReason.LENGTH for reason in reasons[2::3])
        metrics = engine.metrics()
        assert (metrics.pages_used, metrics.running, metrics.waiting) == (0, 0, 0)
        assert sum(metrics.finished.values()) == 32
        await engine.update_weights(lambda model: None, 1)
        assert engine.metrics().pages_idle == 0

    tiny.serve(decoder, tiny.config(kind, cache_tokens=256), use)


def test_bad_requests_are_refused_at_once_and_disturb_nobody() -> None:
    async def use(engine: Engine) -> None:
        other = engine.generate([1, 2, 3], tiny.GREEDY)
        for ids, problem in [
            ([], "the prompt is empty"),
            ([1, 97], "token id 97 is outside the vocabulary, 0 to 96"),
            ([-1], "token id -1 is outside the vocabulary"),
            ([1.5], "a prompt is a sequence of token ids"),
            ("text", "a prompt is a sequence of token ids"),
            ([1] * 64, "the prompt has 64 tokens and at most 63 are possible: the window is 64"),
        ]:
            with pytest.raises(RequestError, match=problem):
                engine.generate(ids, tiny.GREEDY)  # type: ignore[arg-type]
        assert await other.wait() is FinishReason.LENGTH
        assert engine.metrics().finished == {"length": 1}

    tiny.serve(tiny.model(max_context=64), tiny.config(), use)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(RequestError, match="a page of a model with MSA layers is its block: 8"):
        Engine(tiny.model("msa"), EngineConfig(page_tokens=16))
    with pytest.raises(RequestError, match="window_tokens 300 is more than the model's max_context 256"):
        Engine(tiny.model(), EngineConfig(window_tokens=300))
    with pytest.raises(RequestError, match="less than one page"):
        Engine(tiny.model(), EngineConfig(cache_tokens=8, page_tokens=16))
    with pytest.raises(ValueError, match=r'no field "max_runing" \(nearest known field: "max_running"\)'):
        EngineConfig(max_runing=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="step_tokens 4 is less than max_running 8"):
        EngineConfig(step_tokens=4, max_running=8)
    with pytest.raises(ValueError, match="temperature"):
        SamplingParams(temperature=-1)
    # a cache smaller than the model's context bounds the window, and a prompt is told so
    assert Engine(tiny.model(), EngineConfig(cache_tokens=100, page_tokens=8)).window_tokens == 96


def test_a_full_queue_refuses_or_makes_wait() -> None:
    async def use(engine: Engine) -> None:
        generations = [engine.generate([1, 2, 3], tiny.GREEDY) for _ in range(3)]
        with pytest.raises(QueueFull, match="3 requests wait already"):
            engine.generate([1, 2, 3], tiny.GREEDY)
        late = [asyncio.create_task(engine.submit([4, 5], tiny.GREEDY)) for _ in range(8)]
        generations += await asyncio.gather(*late)
        assert {await generation.wait() for generation in generations} == {FinishReason.LENGTH}

    tiny.serve(tiny.model(), tiny.config(max_waiting=3, max_running=2), use)


def test_the_event_loop_stays_live_while_a_step_computes() -> None:
    decoder = tiny.model()
    forward = decoder.forward

    def slow(*args: object) -> torch.Tensor:
        assert threading.current_thread() is not threading.main_thread()
        time.sleep(0.3)
        return forward(*args)  # type: ignore[arg-type]

    decoder.forward = slow  # type: ignore[method-assign]

    async def use(engine: Engine) -> None:
        generation = engine.generate([1, 2, 3], SamplingParams(max_tokens=2))
        longest_s, last = 0.0, time.monotonic()
        while generation.finish_reason is None:
            await asyncio.sleep(0.001)
            longest_s, last = max(longest_s, time.monotonic() - last), time.monotonic()
        assert longest_s < 0.25

    tiny.serve(decoder, tiny.config(), use)


def test_a_step_that_raises_fails_every_request_with_its_cause() -> None:
    decoder = tiny.model()

    def broken(*args: object) -> torch.Tensor:
        raise ArithmeticError("no numbers today")

    decoder.forward = broken  # type: ignore[method-assign]

    async def use(engine: Engine) -> None:
        generations = [engine.generate([1, 2, 3]), engine.generate([1, 2])]
        with pytest.raises(EngineStopped, match="no numbers today"):
            await generations[0].wait()
        with pytest.raises(EngineStopped, match="no numbers today"):
            await anext(generations[1])
        with pytest.raises(EngineStopped, match="the engine failed"):
            engine.generate([1])

    tiny.serve(decoder, tiny.config(), use)


def test_stopping_ends_what_is_in_flight() -> None:
    async def run() -> None:
        engine = Engine(tiny.model(), tiny.config())
        with pytest.raises(EngineStopped, match="is not started"):
            engine.generate([1])
        await engine.start()
        generation = engine.generate([1, 2, 3])
        await anext(generation)
        await engine.stop()
        assert generation.finish_reason is FinishReason.CANCELLED
        with pytest.raises(EngineStopped, match="has stopped"):
            engine.generate([1])
        with pytest.raises(EngineError, match="make a new one"):
            await engine.start()

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["moe", "msa"])
def test_recorded_choices_are_those_of_a_whole_forward(kind: str) -> None:
    from policy.model import Choices, PackedContext

    decoder, prompts = tiny.model(kind), tiny.prompts(4)

    async def use(engine: Engine) -> None:
        generations = [engine.generate(ids, tiny.GREEDY) for ids in prompts]
        for ids, generation in zip(prompts, generations, strict=True):
            await generation.wait()
            wanted, computed = Choices(), ids + generation.ids[:-1]
            with torch.inference_mode():
                decoder(torch.tensor(computed), PackedContext([len(computed)], record=wanted))
            found = generation.choices
            assert found is not None
            assert sorted(found.experts) == sorted(wanted.experts)
            assert sorted(found.blocks) == sorted(wanted.blocks)
            for layer, experts in wanted.experts.items():
                assert torch.equal(found.experts[layer].sort().values, experts.sort().values)
            for layer, blocks in wanted.blocks.items():
                assert torch.equal(found.blocks[layer].sort().values, blocks.sort().values)

    tiny.serve(decoder, tiny.config(kind, record_experts=True, record_blocks=True), use)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_neither_chunks_nor_company_change_a_bit(dtype: torch.dtype) -> None:
    """Softmax layers through the compiled kernels: prefilled or decoded, alone or beside others, it is the same sum."""
    prompts = tiny.prompts(5)

    async def use(engine: Engine) -> list[list[float]]:
        params = SamplingParams(max_tokens=9, seed=3)
        generations = [await engine.submit(prompt, params) for prompt in prompts]
        for generation in generations:
            await generation.wait()
        return [[token.logprob for token in generation.tokens] for generation in generations]

    model = tiny.model().to(dtype)
    sizes = [(24, 6), (2, 1), (500, 2), (6, 6)]
    found = [tiny.serve(model, tiny.config(step_tokens=tokens, max_running=n), use) for tokens, n in sizes]
    assert all(each == found[0] for each in found)

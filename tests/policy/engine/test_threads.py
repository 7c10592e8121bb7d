import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from policy.engine import EngineStopped, FinishReason, RequestError, SamplingParams, ThreadedEngine, Token
from tests.policy.engine import tiny


def test_many_threads_share_one_engine() -> None:
    decoder, prompts = tiny.model(), tiny.prompts(12)
    with ThreadedEngine(decoder, tiny.config(max_waiting=2)) as engine:
        with ThreadPoolExecutor(12) as threads:
            completions = list(threads.map(lambda ids: engine.complete(ids, tiny.GREEDY), prompts))
        for ids, completion in zip(prompts, completions, strict=True):
            assert completion.finish_reason is FinishReason.LENGTH
            sampled = [token.id for token in completion.tokens]
            wanted = tiny.logprobs(decoder, ids + sampled, len(ids))
            assert [token.logprob for token in completion.tokens] == pytest.approx(wanted, abs=2e-5)
        assert engine.metrics().finished == {"length": 12}
        assert engine.metrics().pages_used == 0


def test_a_stream_gives_tokens_as_they_come_and_cancels_when_left() -> None:
    with ThreadedEngine(tiny.model(), tiny.config()) as engine:
        whole = [token.id for token in engine.stream([1, 2, 3], tiny.GREEDY)]
        stream = engine.stream([1, 2, 3], SamplingParams(temperature=0.0, max_tokens=200))
        assert [next(stream).id for _ in range(5)] == whole[:5]
        stream.close()
        while engine.metrics().running:
            pass
        assert engine.metrics().finished == {"length": 1, "cancelled": 1}
        engine.update_weights(lambda model: None, 4)
        assert {token.version for token in engine.stream([1], tiny.GREEDY)} == {4}


def test_a_stream_says_why_it_ended() -> None:
    with ThreadedEngine(tiny.model(), tiny.config()) as engine:
        stream = engine.stream([1, 2, 3], SamplingParams(temperature=0.0, max_tokens=3))
        assert [type(next(stream)) for _ in range(3)] == [Token] * 3
        assert stream.finish_reason is None
        assert list(stream) == list(stream) == []
        assert stream.finish_reason is FinishReason.LENGTH


def test_a_stream_is_closed_while_another_thread_waits_for_it() -> None:
    decoder = tiny.model()
    computing, go_on = threading.Event(), threading.Event()
    forward = decoder.forward

    def slow(*args: Any, **more: Any) -> torch.Tensor:
        computing.set()
        assert go_on.wait(30)
        return forward(*args, **more)

    decoder.forward = slow  # type: ignore[method-assign]
    with ThreadedEngine(decoder, tiny.config()) as engine, ThreadPoolExecutor(1) as threads:
        stream = engine.stream([1, 2, 3], SamplingParams(max_tokens=200))
        waiting = threads.submit(list, stream)
        assert computing.wait(30)
        stream.close()
        go_on.set()
        assert len(waiting.result(30)) <= 1
        assert stream.finish_reason is FinishReason.CANCELLED


def test_errors_reach_the_caller() -> None:
    engine = ThreadedEngine(tiny.model(), tiny.config())
    with pytest.raises(RequestError, match="the prompt is empty"):
        engine.complete([])
    engine.close()
    engine.close()
    with pytest.raises(EngineStopped, match="closed"):
        engine.complete([1])


def test_what_ends_the_engine_ends_its_streams() -> None:
    long = 1 << 14  # seconds
    engine = ThreadedEngine(tiny.model(max_context=long), tiny.config(cache_tokens=2 * long))
    stream, left = (engine.stream([1, 2, 3], SamplingParams(repetition_tokens=0)) for _ in range(2))
    next(stream)
    next(left)
    engine.close()
    assert len(list(stream)) < long
    assert stream.finish_reason is FinishReason.CANCELLED
    left.close()  # too late to cancel, and no error
    with pytest.raises(EngineStopped, match="closed"):
        engine.stream([1])


def test_a_step_that_raises_reaches_who_reads_a_stream() -> None:
    decoder = tiny.model()

    def broken(*args: object) -> None:
        raise ArithmeticError("no numbers today")

    decoder.forward = broken  # type: ignore[assignment,method-assign]
    with ThreadedEngine(decoder, tiny.config()) as engine:
        stream = engine.stream([1, 2, 3], tiny.GREEDY)
        with pytest.raises(EngineStopped, match="no numbers today"):
            next(stream)
        assert list(stream) == []

"""The engine: an asyncio service around a scheduler and one worker thread.

The event loop's thread owns every request and number; the worker thread owns tensors. They take turns: while a step
computes, the loop serves callers and only marks what they ask for; between steps the marks are acted upon.
"""

from __future__ import annotations

import asyncio
import logging
import random
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import exp
from types import TracebackType

from torch import Tensor

from policy.engine.cache import Cache
from policy.engine.config import EngineConfig, SamplingParams
from policy.engine.errors import EngineError, EngineStopped, QueueFull, RequestError
from policy.engine.generation import Generation
from policy.engine.metrics import Metrics, Rate
from policy.engine.native import Native, NativeError, can_run
from policy.engine.pages import PagePool, PageTable
from policy.engine.prefix import PrefixCache
from policy.engine.request import FinishReason, Request, Token
from policy.engine.runner import Runner, Weights
from policy.engine.sampler import Sampled
from policy.engine.scheduler import Chunk, Scheduler
from policy.engine.states import StatePool
from policy.model import Decoder

log = logging.getLogger(__name__)


class Engine:
    """Serves one model to many requests at once.

    `async with Engine(model) as engine:`, then `async for token in engine.generate(ids, SamplingParams(...))`. All of
    it is called on one event loop; other threads go through `ThreadedEngine`. The model is the engine's while it runs:
    change weights through `update_weights` alone.
    """

    def __init__(self, model: Decoder, config: EngineConfig | None = None, *, version: int = 0) -> None:
        """`version` is that of the weights the model has now. RequestError: sizes that do not go together."""
        self.config = config or EngineConfig()
        self.version = version
        shape = model.config
        page = self.page_tokens = _page_tokens(model, self.config)
        n_pages = self.config.cache_tokens // page
        if not n_pages:
            raise RequestError(f"cache_tokens {self.config.cache_tokens} is less than one page of {page} tokens")
        window = self.config.window_tokens or shape.max_context
        if window > shape.max_context:
            raise RequestError(f"window_tokens {window} is more than the model's max_context {shape.max_context}")
        self.window_tokens = min(window, n_pages * page)
        """Longest prompt plus output that is served."""
        states = None
        if "lightning" in shape.mixers:
            n_snapshots = self.config.state_snapshots if self.config.prefix_reuse else 0
            states = StatePool(self.config.max_running, n_snapshots)
        self._states = states
        self._pool = PagePool(n_pages)
        self._prefixes = PrefixCache(self._pool, states, page, enabled=self.config.prefix_reuse)
        self._scheduler = Scheduler(self.config, self._prefixes, states, page, self.window_tokens)
        weight = model.head_weight
        cache = Cache(
            shape,
            n_pages,
            page,
            states.n_rows if states else 0,
            dtype=weight.dtype,
            device=weight.device,
            record_experts=self.config.record_experts,
            record_blocks=self.config.record_blocks,
        )
        self._native = _native(weight, self.config)
        self._runner = Runner(model, cache, self._native)
        self._vocab_size = shape.vocab_size
        self._generations: dict[int, Generation] = {}
        self._marks: dict[Generation, FinishReason] = {}
        self._updates: deque[tuple[Weights, int, asyncio.Future[None]]] = deque()
        self._n_requests = 0
        self._counts: Counter[str] = Counter()
        self._finished: Counter[str] = Counter()
        self._rate = Rate()
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._stopping = False

    async def start(self) -> None:
        if self._task is not None:
            raise EngineError("this engine was started before; make a new one")
        self._task = asyncio.create_task(self._run(), name="engine")

    async def stop(self) -> None:
        """Cancel what is in flight, once the step that runs is over."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def __aenter__(self) -> Engine:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def generate(self, prompt_ids: Sequence[int], params: SamplingParams | None = None) -> Generation:
        """Queue a request. RequestError: it can never be served. QueueFull: try later, or `submit`."""
        self._check_alive()
        ids = self._checked(prompt_ids)
        if self._is_full:
            raise QueueFull(
                f"{self.config.max_waiting} requests wait already, as many as max_waiting allows; "
                "`await engine.submit(...)` waits for room"
            )
        params = params or SamplingParams()
        seed = random.getrandbits(63) if params.seed is None else params.seed
        request = Request(self._n_requests, ids, len(ids), params, seed, PageTable(self.page_tokens))
        self._n_requests += 1
        generation = Generation(request, self._mark, self._again, whole=self.config.kv_on_update == "restart")
        self._enqueue(generation)
        return generation

    async def submit(self, prompt_ids: Sequence[int], params: SamplingParams | None = None) -> Generation:
        """As `generate`, but waits while the queue is full."""
        while self._is_full:
            self._check_alive()
            self._room.clear()
            await self._room.wait()
        return self.generate(prompt_ids, params)

    async def update_weights(self, weights: Weights, version: int) -> int:
        """Swap weights between two steps; every token sampled from then on carries the version that is returned.

        Requests in flight go on; `kv_on_update` says on what. Prefixes of the old weights are forgotten.
        RequestError: the version is not above the present one, or a state dict does not fit (nothing is changed).
        """
        self._check_alive()
        if version <= (newest := self._updates[-1][1] if self._updates else self.version):
            raise RequestError(f"version {version} is not above {newest}: each update needs a higher one")
        done = asyncio.get_running_loop().create_future()
        self._updates.append((weights, version, done))
        self._wake.set()
        await done
        return self.version

    def metrics(self) -> Metrics:
        scheduler, count = self._scheduler, self._counts
        idle = self._prefixes.n_idle
        return Metrics(
            version=self.version,
            kernels="native" if self._native else "torch",
            waiting=len(scheduler.waiting),
            running=len(scheduler.running),
            pages_total=self._pool.n_pages,
            pages_used=self._pool.n_pages - self._pool.n_free - idle,
            pages_idle=idle,
            state_rows_used=self._states.n_held if self._states else 0,
            state_snapshots=len(self._states.snapshots) if self._states else 0,
            steps=count["steps"],
            prompt_tokens=scheduler.n_prompt,
            reused_tokens=scheduler.n_reused,
            computed_tokens=count["computed"],
            sampled_tokens=count["sampled"],
            sampled_tokens_per_s=self._rate.per_s(),
            preemptions=scheduler.n_preempted,
            updates=count["updates"],
            finished=dict(self._finished),
        )

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        try:
            while not self._stopping:
                self._act_on_marks()
                if self._updates:
                    await self._update(loop, worker)
                    continue
                chunks = self._scheduler.schedule()
                if not self._is_full:
                    self._room.set()
                if not chunks:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                # the order that the plans of a step expect
                chunks.sort(key=lambda chunk: chunk.n > 1)
                copies: list[tuple[int | None, int]] = []
                if self._states is not None:
                    copies, self._states.copies = self._states.copies, []
                sampled = await loop.run_in_executor(worker, self._runner.step, chunks, copies)
                self._take(chunks, sampled)
            self._end()
        except BaseException as error:
            log.exception("the engine failed; every request in flight fails with it")
            self._failure = error
            self._end()
            if not isinstance(error, Exception):
                raise
        finally:
            worker.shutdown(wait=True)

    def _take(self, chunks: Sequence[Chunk], sampled: Sampled) -> None:
        self._counts["steps"] += 1
        self._counts["computed"] += sum(chunk.n for chunk in chunks)
        self._counts["sampled"] += len(sampled.ids)
        self._rate.add(len(sampled.ids))
        drawn = iter(zip(sampled.ids, sampled.logprobs, strict=True))
        for chunk in chunks:
            request, samples = chunk.request, chunk.samples
            self._scheduler.advance(chunk)
            if samples:
                id, logprob = next(drawn)
                end = request.append(Token(id, logprob, self.version), exp(logprob), self.window_tokens)
                generation = self._generations[request.id]
                if end is not None:
                    self._finish(generation, end)
                generation.changed()

    def _act_on_marks(self) -> None:
        marks, self._marks = self._marks, {}
        for generation, reason in marks.items():
            if generation.finish_reason is None:
                self._finish(generation, reason)
                generation.changed()

    async def _update(self, loop: asyncio.AbstractEventLoop, worker: ThreadPoolExecutor) -> None:
        weights, version, done = self._updates.popleft()
        try:
            await loop.run_in_executor(worker, self._runner.update, weights)
        except RequestError as error:
            if not done.cancelled():
                done.set_exception(error)
            return
        except Exception as error:
            # the model may be half old and half new: nothing may be sampled from it
            if not done.cancelled():
                done.set_exception(error)
            raise
        self.version = version
        self._counts["updates"] += 1
        self._scheduler.forget(keep=self.config.kv_on_update == "keep")
        if self.config.kv_on_update == "restart":
            for generation in self._generations.values():
                generation.request.restart()
        if not done.cancelled():
            done.set_result(None)

    def _finish(self, generation: Generation, reason: FinishReason) -> None:
        request = generation.request
        if request.table.pages and (self.config.record_experts or self.config.record_blocks):
            generation.choices = self._runner.cache.choices(request.table, request.computed)
        self._scheduler.leave(request)
        request.finish_reason = reason
        self._finished[reason.value] += 1
        del self._generations[request.id]

    def _end(self) -> None:
        for generation in list(self._generations.values()):
            self._finish(generation, FinishReason.CANCELLED)
            if self._failure is not None:
                generation.failed(self._failure)
            generation.changed()
        for *_, done in self._updates:
            if not done.done():
                done.set_exception(EngineStopped("the engine stopped before this update"))
        self._updates.clear()
        self._stopping = True
        self._room.set()

    def _enqueue(self, generation: Generation) -> None:
        self._generations[generation.request.id] = generation
        self._scheduler.waiting.append(generation.request)
        self._wake.set()

    def _mark(self, generation: Generation, reason: FinishReason) -> None:
        if generation.finish_reason is None and self._marks.get(generation) is not FinishReason.CANCELLED:
            self._marks[generation] = reason
            self._wake.set()

    def _again(self, generation: Generation) -> None:
        self._check_alive()
        if generation.finish_reason is not FinishReason.INTERRUPTED:
            state = generation.finish_reason or "running"
            raise EngineError(f"only an interrupted request can be resumed; this one is {state}")
        generation.request.finish_reason = None
        self._enqueue(generation)

    def _checked(self, prompt_ids: Sequence[int]) -> list[int]:
        try:
            ids = array("q", prompt_ids).tolist()
        except (TypeError, OverflowError) as error:
            raise RequestError(f"a prompt is a sequence of token ids: {error}") from None
        if not ids:
            raise RequestError("the prompt is empty; there must be at least one token to go on from")
        if min(ids) < 0 or max(ids) >= self._vocab_size:
            wrong = next(id for id in ids if not 0 <= id < self._vocab_size)
            raise RequestError(f"token id {wrong} is outside the vocabulary, 0 to {self._vocab_size - 1}")
        if len(ids) >= self.window_tokens:
            raise RequestError(
                f"the prompt has {len(ids)} tokens and at most {self.window_tokens - 1} are possible: "
                f"the window is {self.window_tokens}, one token at least is sampled, and the cache holds "
                f"{self._pool.n_pages} pages of {self.page_tokens}"
            )
        return ids

    @property
    def _is_full(self) -> bool:
        return len(self._scheduler.waiting) >= self.config.max_waiting

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise EngineStopped(f"the engine failed: {self._failure!r}") from self._failure
        if self._task is None or self._stopping:
            state = "has stopped" if self._stopping else "is not started"
            raise EngineStopped(f"the engine {state}; use it inside `async with engine`")


def _page_tokens(model: Decoder, config: EngineConfig) -> int:
    msa = model.config.msa
    if msa is None:
        return config.page_tokens or 32
    if config.page_tokens not in (None, msa.block_size):
        raise RequestError(
            f"page_tokens is {config.page_tokens}, but a page of a model with MSA layers is its block: "
            f"{msa.block_size} (leave page_tokens out)"
        )
    return msa.block_size


def _native(weight: Tensor, config: EngineConfig) -> Native | None:
    wanted = config.native_kernels
    if wanted is False or (wanted is None and not can_run(weight)):
        return None
    if not can_run(weight):
        raise RequestError(f"native_kernels need fp32 or bf16 weights on a CPU, not {weight.dtype} on {weight.device}")
    try:
        return Native(weight.dtype)
    except NativeError as error:
        if wanted:
            raise RequestError(f"native_kernels: {error}") from error
        log.warning("the engine computes through torch, which is slower: %s", error)
        return None

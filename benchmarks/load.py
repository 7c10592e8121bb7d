"""Requests over keep-alive connections and a server that answers them, as cheap as Python has them: each for a process
of its own, so that what is measured is what lies between.

    with process() as other: other.submit(latencies, targets, n).result()
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Target:
    """Where requests go, and with which key."""

    port: int
    path: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}", "content-type": "application/json"}


def process() -> ProcessPoolExecutor:
    """Another process, for the functions below."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def latencies(targets: Mapping[str, Target], body: bytes, n: int) -> dict[str, list[float]]:
    """Milliseconds from a request's first byte to the answer's last, one at a time, the targets taking turns."""
    samples: dict[str, list[float]] = {name: [] for name in targets}
    with ExitStack() as stack:
        connections = {
            name: stack.enter_context(closing(HTTPConnection("127.0.0.1", target.port)))
            for name, target in targets.items()
        }
        for turn in range(n + n // 10):
            for name, target in targets.items():
                began = time.perf_counter()
                connections[name].request("POST", target.path, body, target.headers)
                answer = connections[name].getresponse()
                said = answer.read()
                took = 1000 * (time.perf_counter() - began)
                if answer.status != 200:
                    raise SystemExit(f"{name}: {answer.status}: {said[:500]!r}")
                if turn >= n // 10:  # the first warm up
                    samples[name].append(took)
    return samples


def flood(targets: Sequence[Target], body: bytes, seconds: float) -> tuple[int, float]:
    """As many requests as are answered, one connection a target; how many, and the CPU seconds that asking took."""
    began = time.process_time()
    n_answered = asyncio.run(_flood(targets, body, seconds))
    return n_answered, time.process_time() - began


async def _flood(targets: Sequence[Target], body: bytes, seconds: float) -> int:
    until = time.monotonic() + seconds
    clients: list[_Client] = []
    loop = asyncio.get_running_loop()
    for target in targets:
        head = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
        request = f"POST {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}content-length: {len(body)}\r\n\r\n"
        raw = request.encode() + body
        _, client = await loop.create_connection(partial(_Client, raw, until), "127.0.0.1", target.port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    if refusal := next((client.refusal for client in clients if client.refusal), None):
        raise SystemExit(f"a request was refused: {refusal.splitlines()[0]}")
    return sum(client.n_answered for client in clients)


class _Messages(asyncio.Protocol):
    """Splits what comes into HTTP messages that have a content-length."""

    def __init__(self) -> None:
        self._held = b""
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._held) < end + 4 + length:
                return
            self._held = self._held[end + 4 + length :]
            self.message_received(head)

    def message_received(self, head: bytes) -> None:
        raise NotImplementedError


class _Client(_Messages):
    """Sends the same again whenever it is answered."""

    def __init__(self, request: bytes, until: float) -> None:
        super().__init__()
        self.n_answered = 0
        self.refusal = ""
        """Head of an answer that is none; nothing is sent after it."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request, self._until = request, until

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(self._request)

    def message_received(self, head: bytes) -> None:
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            self.refusal = head.decode()
            self.transport.close()
        elif time.monotonic() < self._until:
            self.n_answered += 1
            self.transport.write(self._request)
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


class _Upstream(_Messages):
    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self._answer = answer

    def message_received(self, head: bytes) -> None:
        self.transport.write(self._answer)


@contextmanager
def upstream(answer: bytes) -> Iterator[int]:
    """A server in a process of its own that answers everything with this body of JSON; its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    served = context.Process(target=_serve, args=(answer, theirs), daemon=True)
    served.start()
    yield ours.recv()
    served.terminate()
    served.join()


def _serve(answer: bytes, told: Connection) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"

    async def serve() -> None:
        protocol = partial(_Upstream, head.encode() + answer)
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())

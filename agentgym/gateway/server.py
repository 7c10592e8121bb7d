"""The gateway's HTTP side: an event loop in a thread of its own, and the sockets that it accepts on.

It knows where requests come in, and for whom; `handler.py` answers them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from aiohttp import web

from agentgym.gateway.handler import Handler
from agentgym.gateway.session import Session

THREADS = 512
"""Calls that may wait for models at once; a thread is made when a call finds none idle."""
BACKLOG = 1024
"""Connections that wait to be accepted."""
CLOSE_WITHIN_S = 0.1
"""What is being answered when a socket is closed has so long to end by itself."""

T = TypeVar("T")


class Server:
    """Starts with the first socket. Safe for threads."""

    def __init__(self, find: Callable[[str], Session | None]) -> None:
        """`find`: whose key it is."""
        self._find = find
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def accept(self, listening: socket.socket, only: Session) -> None:
        """Answer on a socket that listens already, for this session alone: other keys are unknown there."""
        running = self._start()
        running.wait(running.open(listening, only))

    def forget(self, listening: socket.socket) -> None:
        """Close the socket, and the connections that it brought. Once the server is closed they are so already."""
        with self._lock:
            running = self._running
        if running is not None:
            running.wait(running.close(listening))

    def listen(self, host: str, port: int) -> int:
        """Answer at an address, for all sessions; the port, a free one for 0. Raises OSError."""
        listening = socket.create_server((host, port), backlog=BACKLOG)
        running = self._start()
        running.wait(running.open(listening, None))
        bound: int = listening.getsockname()[1]
        return bound

    def close(self) -> None:
        """End everything; calls in flight are dropped. Idempotent."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.end()

    def _start(self) -> _Running:
        with self._lock:
            if self._running is None:
                self._running = _Running(self._find)
            return self._running


class _Running:
    """The loop, its thread, and the threads of the calls."""

    def __init__(self, find: Callable[[str], Session | None]) -> None:
        self._calls = ThreadPoolExecutor(THREADS, thread_name_prefix="agentgym-gateway-call")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agentgym-gateway", daemon=True)
        self._thread.start()
        self._open: dict[socket.socket, tuple[asyncio.Server, web.Server]] = {}
        self._handler = self.wait(self._make_handler(find))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def open(self, listening: socket.socket, only: Session | None) -> None:
        http = web.Server(partial(self._handler, only), handler_cancellation=True, access_log=None)
        server = await self._loop.create_server(http, sock=listening, backlog=BACKLOG)
        self._open[listening] = server, http

    async def close(self, listening: socket.socket) -> None:
        server, http = self._open.pop(listening)
        server.close()
        http.pre_shutdown()
        await http.shutdown(CLOSE_WITHIN_S)

    def end(self) -> None:
        self.wait(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._calls.shutdown(wait=False, cancel_futures=True)

    async def _make_handler(self, find: Callable[[str], Session | None]) -> Handler:
        return Handler(find, self._calls)

    async def _end(self) -> None:
        for listening in list(self._open):
            await self.close(listening)
        self._handler.flights.cancel_all()
        await asyncio.sleep(0)  # connections that were closed say so in the loop's next round

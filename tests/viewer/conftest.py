"""The viewer as it is served, and its pages as a browser would take them apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from agentgym.viewer.server import application, listen

Serve = Callable[[Path], str]


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The viewer of `folder` on a thread of its own; its address."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application(folder), access_log=None, shutdown_timeout=0.1)
    listening = listen(0)

    async def begin() -> None:
        await runner.setup()
        await web.SockSite(runner, listening).start()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """Of the viewer of tmp_path."""
    with serving(tmp_path) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


class Parsed(HTMLParser):
    """A page's tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        """Tag, name, value."""
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "href"]


def get(client: httpx.Client, path: str, **headers: str) -> Parsed:
    """A page that must be there."""
    response = client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Parsed(response.text)

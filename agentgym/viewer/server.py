"""The viewer's HTTP side: addresses to pages, and what keeps other web pages and what agents wrote from doing harm.

It is reached from this machine alone, under names of this machine alone (a page elsewhere whose name is made to lead
here is refused), and its pages run no script but the viewer's own.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from agentgym.errors import AgentGymError, UsageError
from agentgym.viewer.compliance import Filter
from agentgym.viewer.pages import NotFound, Page, Pages
from agentgym.viewer.runs import Folder
from agentgym.viewer.table import Query
from agentgym.viewer.templating import STATIC

HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What a browser may call this machine, whatever port is forwarded here."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_RUN = r"/{run:.+\.jsonl(?:\.gz)?}"
_TRAINING = r"/{training:(?:.+/)?metrics\.jsonl}"
_EPISODE = _RUN + r"/{which:\d{1,9}|live-[^/]+}"


def application(folder: Path) -> web.Application:
    """The viewer of the runs below `folder`."""
    runs = Folder(folder)
    site = _Site(Pages(runs))
    app = web.Application(middlewares=[site.guard])
    app.router.add_get("/", site.runs)
    for file in STATIC.iterdir():
        app.router.add_get(f"/-/{file.name}", _static(file))
    app.router.add_get("/favicon.ico", _static(STATIC / "icon.svg"))  # asked for where a page cannot name it: raw JSON
    app.router.add_get(_EPISODE, site.episode)
    app.router.add_get(_EPISODE + "/raw", site.raw)
    app.router.add_get(_EPISODE + "/text", site.text)
    app.router.add_get(_EPISODE + r"/tokens/{call:\d{1,9}}", site.tokens)
    app.router.add_get(_EPISODE + r"/calls/{call:\d{1,9}}", site.branch)
    app.router.add_get(_EPISODE + r"/patch/{file:\d{1,9}}", site.file)
    app.router.add_get(_RUN + "/compliance", site.compliance)
    app.router.add_get(_TRAINING, site.training)
    app.router.add_get(_RUN, site.run)
    app.on_response_prepare.append(_add_headers)
    app.on_cleanup.append(lambda _: asyncio.to_thread(runs.close))
    return app


def listen(port: int) -> socket.socket:
    """A socket on this machine's loopback; port 0: any. Raises UsageError."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be had: {os.strerror(error.errno or 0)}; name another with --port, or leave it out"
        ) from error


def serve(folder: Path, listening: socket.socket) -> None:
    """Show `folder` until Ctrl-C."""
    web.run_app(application(folder), sock=listening, print=None, access_log=None, shutdown_timeout=1.0)


class _Site:
    """What is answered to each address."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse who does not come from here; make every error a page."""
        name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if name.lower() not in NAMES:
            return self._problem(403, f"found Host {request.host}, wanted one of {', '.join(NAMES)}")
        if request.method != "GET":
            return self._problem(405, f"found {request.method}, wanted GET: the viewer changes nothing")
        try:
            return await handler(request)
        except (NotFound, web.HTTPNotFound) as error:
            return self._problem(404, str(error) if isinstance(error, NotFound) else "There is no such page.")
        except (AgentGymError, OSError) as error:
            return self._problem(500, str(error))

    async def runs(self, request: web.Request) -> web.StreamResponse:
        return await _answer(request, self._pages.runs)

    async def run(self, request: web.Request) -> web.StreamResponse:
        name, query = request.match_info["run"], Query.read(request.query)
        return await _answer(request, lambda: self._pages.run(name, query))

    async def compliance(self, request: web.Request) -> web.StreamResponse:
        name, wanted = request.match_info["run"], Filter.read(request.query)
        return await _answer(request, lambda: self._pages.compliance(name, wanted))

    async def training(self, request: web.Request) -> web.StreamResponse:
        return await _answer(request, lambda: self._pages.training(request.match_info["training"]))

    async def episode(self, request: web.Request) -> web.StreamResponse:
        name, which = _episode(request)
        query, first = Query.read(request.query), max(1, _number(request, "turns"))
        moved = await asyncio.to_thread(self._pages.moved, name, which, query)
        if moved is not None:
            raise web.HTTPFound(moved)
        return await _answer(request, lambda: self._pages.episode(name, which, query, first))

    async def branch(self, request: web.Request) -> web.StreamResponse:
        name, which = _episode(request)
        call, first = int(request.match_info["call"]), max(1, _number(request, "turns"))
        return await _answer(request, lambda: self._pages.branch(name, which, call, first))

    async def text(self, request: web.Request) -> web.StreamResponse:
        name, which = _episode(request)
        at, start, is_prose = request.query.get("at", ""), _number(request, "from"), "prose" in request.query
        return await _answer(request, lambda: self._pages.text(name, which, at, start, is_prose=is_prose))

    async def tokens(self, request: web.Request) -> web.StreamResponse:
        name, which = _episode(request)
        call, start = int(request.match_info["call"]), _number(request, "from")
        return await _answer(request, lambda: self._pages.tokens(name, which, call, start))

    async def file(self, request: web.Request) -> web.StreamResponse:
        name, which = _episode(request)
        number = int(request.match_info["file"])
        return await _answer(request, lambda: self._pages.file(name, which, number))

    async def raw(self, request: web.Request) -> web.StreamResponse:
        data = await asyncio.to_thread(self._pages.raw, *_episode(request))
        return web.Response(body=data, content_type="application/json")

    def _problem(self, status: int, message: str) -> web.Response:
        return web.Response(text=self._pages.problem(status, message), status=status, content_type="text/html")


async def _answer(request: web.Request, find: Callable[[], Page]) -> web.StreamResponse:
    """The page; 304 where the browser has it as it is."""
    page = await asyncio.to_thread(find)
    headers = {"ETag": f'"{page.stamp}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    text = await asyncio.to_thread(page.render)
    return web.Response(text=text, content_type="text/html", headers=headers)


def _episode(request: web.Request) -> tuple[str, str]:
    return request.match_info["run"], request.match_info["which"]


def _number(request: web.Request, name: str) -> int:
    """A number in the query; 0 where there is none."""
    given = request.query.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 12 else 0


def _static(file: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def send(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(file)

    return send


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)

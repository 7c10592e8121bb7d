"""Tools of an MCP server, mounted beside our own: `server__tool`, its schema passed through as it is.

Needs the package `mcp` (the extra `agentgym[mcp]`); nothing else imports this module.

**Trust boundary.** An MCP server is no part of the sandbox. A stdio server is a process on the HOST, with the rights of
whoever runs agentgym, and what the model writes reaches it as arguments: none of the sandbox's limits hold for it. It
is therefore started only where the task's author wrote `runs_on = "host"`; it gets PATH, HOME and the like from the
environment, and nothing else that is not spelled out in `env`. An HTTP server is wherever its url says. A server that
keeps state should be opened once an episode, or the episodes see one another.

What a tool answers, errors included, is an observation. A server that does not start, dies, or breaks the protocol is
infrastructure: SandboxError.
"""

from __future__ import annotations

import json
import logging
import math
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, TextIO

from pydantic import BaseModel, ConfigDict, Field

from agentgym.errors import SandboxError, SandboxUnavailable, UsageError
from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.text import Output, cut_middle

try:
    import anyio
    import httpx2
    from anyio.from_thread import BlockingPortal, BlockingPortalProvider
    from mcp import Client, MCPError, StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.types import (
        CallToolResult,
        ContentBlock,
        EmbeddedResource,
        ResourceLink,
        TextContent,
        TextResourceContents,
    )
    from mcp.types import Tool as ListedTool
except ModuleNotFoundError as error:
    raise UsageError(f"MCP servers need the package {error.name!r}: pip install 'agentgym[mcp]'") from None

logger = logging.getLogger(__name__)

_LOOP = BlockingPortalProvider()
"""One event loop in a thread of its own, for all servers; there while any is open."""
_REQUEST_TIMEOUT = -32001
"""The client's code for its own timeout (mcp_types.jsonrpc)."""


class _Server(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    """Goes before the names of its tools."""
    start_timeout_s: float = Field(default=30.0, gt=0)
    """Seconds the server may take to start and to list its tools."""


class StdioServer(_Server):
    """A server that agentgym starts and talks to over its stdin and stdout."""

    command: str
    """Program to run."""
    args: tuple[str, ...] = ()
    """Its arguments."""
    env: dict[str, str] = {}
    """Its environment, on top of PATH, HOME, LOGNAME, SHELL, TERM and USER."""
    cwd: Path | None = None
    """Folder it runs in; agentgym's own when left out."""
    runs_on: Literal["host"]
    """Must be spelled out: the process runs outside the sandbox (see the module's trust boundary)."""


class HttpServer(_Server):
    """A server that already runs, reached over streamable HTTP."""

    url: str = Field(pattern=r"^https?://")
    """Its endpoint, for example http://127.0.0.1:8000/mcp"""
    headers: dict[str, str] = {}
    """Sent with every request."""


class McpConnection:
    """A connection to one server, and its tools. A context manager; safe to use from many threads."""

    def __init__(self, config: StdioServer | HttpServer, output: Output | None = None) -> None:
        self.config = config
        self.output = output or Output()
        self.tools: tuple[McpTool, ...] = ()
        self._resources = ExitStack()
        self._open = False

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect and list the tools. Raises SandboxUnavailable."""
        with ExitStack() as stack:
            self._stderr = stack.enter_context(tempfile.TemporaryFile("a+", errors="replace"))
            try:
                self._portal: BlockingPortal = stack.enter_context(_LOOP)
                connection = _connect(self.config, self._stderr)
                self._client, listed = stack.enter_context(self._portal.wrap_async_context_manager(connection))
            except (OSError, ValueError, RuntimeError, MCPError, httpx2.HTTPError, ExceptionGroup) as error:
                raise SandboxUnavailable(self._complaint("did not start", error)) from error
            self.tools = tuple(self._tool(tool) for tool in listed)
            self._resources = stack.pop_all()
            self._open = True

    def close(self) -> None:
        """Disconnect, and end the process if there is one; calls under way fail. Idempotent."""
        self._open = False
        try:
            self._resources.close()
        except (OSError, MCPError, httpx2.HTTPError, ExceptionGroup) as error:
            # whoever needed the server to be alive has been told by a SandboxError
            logger.debug("MCP server %s was gone when it was closed: %s", self.config.name, _reason(error))

    def call(self, tool: str, arguments: Mapping[str, Any], *, timeout_s: float) -> ToolResult:
        """Call a tool by the server's own name for it."""
        if not self._open:
            raise SandboxError(f"MCP server {self.config.name!r} is not open")
        request = partial(self._client.call_tool, tool, dict(arguments), read_timeout_seconds=timeout_s)
        try:
            done: CallToolResult = self._portal.call(request)
        except MCPError as error:
            if error.code == _REQUEST_TIMEOUT:
                return ToolResult(f"[timed out after {timeout_s:g} s]", is_error=True)
            # "connection closed" has a code that servers use for errors of their own, too: ask whether it is there
            if not self._answers():
                raise SandboxError(self._complaint("died", error)) from error
            return ToolResult(f"The tool failed: {error.message}", is_error=True)
        except (OSError, ValueError, RuntimeError, httpx2.HTTPError, ExceptionGroup) as error:
            raise SandboxError(self._complaint("broke the protocol", error)) from error
        text = "\n".join(map(_text, done.content))
        if not done.content and done.structured_content is not None:
            text = json.dumps(done.structured_content, ensure_ascii=False)
        return ToolResult(cut_middle(text, self.output.max_chars) or "[no output]", is_error=done.is_error)

    def _answers(self) -> bool:
        try:
            self._portal.call(partial(self._client.list_tools, cache_mode="bypass"))
        except (OSError, ValueError, RuntimeError, MCPError, httpx2.HTTPError, ExceptionGroup):
            return False
        return True

    def _tool(self, listed: ListedTool) -> McpTool:
        # a server may use characters in names (dots, slashes) that the models' APIs refuse
        name = f"{self.config.name}__{re.sub(r'[^A-Za-z0-9_-]', '_', listed.name)}"
        return McpTool(name, listed.description or listed.title or "", self, listed.name, listed.input_schema)

    def _complaint(self, what: str, error: BaseException) -> str:
        try:
            self._stderr.seek(0)
            said = self._stderr.read().strip().rpartition("\n")[2]
        except ValueError:  # another thread has closed the connection meanwhile
            said = ""
        return f"MCP server {self.config.name!r} {what}: {_reason(error)}" + (f"; it wrote {said!r}" if said else "")


@dataclass(slots=True)
class McpTool:
    """One tool of a server. Matches the `Tool` Protocol."""

    name: str
    description: str
    server: McpConnection = field(repr=False)
    remote_name: str
    input_schema: dict[str, Any] = field(repr=False)

    def schema(self) -> dict[str, Any]:
        return self.input_schema

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        return self.server.call(self.remote_name, arguments, timeout_s=context.timeout_s)


@asynccontextmanager
async def _connect(config: StdioServer | HttpServer, stderr: TextIO) -> AsyncIterator[tuple[Client, list[ListedTool]]]:
    with anyio.CancelScope(deadline=anyio.current_time() + config.start_timeout_s) as scope:
        async with AsyncExitStack() as stack:
            if isinstance(config, StdioServer):
                process = StdioServerParameters(
                    command=config.command, args=list(config.args), env=config.env, cwd=config.cwd
                )
                transport = stdio_client(process, errlog=stderr)
            else:
                # no read timeout: a tool may be silent for as long as the call's own timeout allows
                timeout = httpx2.Timeout(config.start_timeout_s, read=None)
                http = await stack.enter_async_context(httpx2.AsyncClient(headers=config.headers, timeout=timeout))
                transport = streamable_http_client(config.url, http_client=http)
            client = Client(transport, read_timeout_seconds=config.start_timeout_s)
            await stack.enter_async_context(client)
            tools = await _list_tools(client)
            # from here on every call has a timeout of its own
            scope.deadline = math.inf
            yield client, tools
    if scope.cancelled_caught:
        raise TimeoutError(f"it was not ready within {config.start_timeout_s:g} s")


async def _list_tools(client: Client) -> list[ListedTool]:
    page = await client.list_tools()
    tools = list(page.tools)
    while page.next_cursor is not None:
        page = await client.list_tools(cursor=page.next_cursor)
        tools += page.tools
    return tools


def _text(block: ContentBlock) -> str:
    """A block as text; what is no text is named, so that the model knows it was there."""
    if isinstance(block, TextContent):
        return block.text
    if isinstance(block, EmbeddedResource):
        resource = block.resource
        return resource.text if isinstance(resource, TextResourceContents) else f"[binary resource {resource.uri}]"
    if isinstance(block, ResourceLink):
        return f"[resource {block.uri}]"
    return f"[{block.type}, {block.mime_type}]"


def _reason(error: BaseException) -> str:
    """What went wrong at the bottom of the groups that task groups wrap it in."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(_reason, error.exceptions))
    return (str(error) or type(error).__name__).partition("\n")[0]

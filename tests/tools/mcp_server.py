"""A tiny MCP server for tests: `python -m tests.tools.mcp_server stdio`, or `http PORT` on the loopback."""

from __future__ import annotations

import os
import sys
from typing import Any

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Image, MCPServer
from mcp.types import CallToolResult, EmbeddedResource, ResourceLink, TextContent, TextResourceContents

server: MCPServer[Any] = MCPServer("tiny", log_level="CRITICAL")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def environment(name: str) -> str:
    return os.environ.get(name, "not set")


@server.tool(name="odd.name/1")
def odd() -> str:
    """Named as no model's API would have it."""
    return "odd"


@server.tool()
def fail() -> CallToolResult:
    return CallToolResult(content=[TextContent(text="no such page")], is_error=True)


@server.tool()
def refuse() -> str:
    # servers use this code for errors of their own; the client uses it for a lost connection
    raise MCPError(-32000, "not today")


@server.tool()
async def wait(seconds: float) -> str:
    await anyio.sleep(seconds)
    return "waited"


@server.tool()
def mixed() -> CallToolResult:
    return CallToolResult(
        content=[
            TextContent(text="one"),
            Image(data=b"png", format="png").to_image_content(),
            ResourceLink(name="page", uri="https://example.org/page"),
            EmbeddedResource(resource=TextResourceContents(uri="file:///note", text="two")),
        ]
    )


@server.tool()
def only_structured() -> CallToolResult:
    return CallToolResult(content=[], structured_content={"answer": 42})


@server.tool()
def long() -> str:
    return "x" * 1000


@server.tool()
def die() -> str:
    print("goodbye, cruel world", file=sys.stderr, flush=True)
    os._exit(3)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run()
    else:
        server.run("streamable-http", port=int(sys.argv[2]))

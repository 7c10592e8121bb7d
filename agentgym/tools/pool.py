"""The tools one agent is given: named, ordered, and shown to it under any name and description.

A pool never changes; every operation answers with a new one. It knows tools only by their Protocol.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from agentgym.errors import UsageError
from agentgym.nearest import nearest
from agentgym.protocols import Tool, ToolCall, ToolContext, ToolResult
from agentgym.tools.bash import BashTool
from agentgym.tools.git_diff import GitDiffTool
from agentgym.tools.list_files import ListFilesTool
from agentgym.tools.read_file import ReadFileTool
from agentgym.tools.run_tests import RunTestsTool
from agentgym.tools.search import SearchTool
from agentgym.tools.str_replace import StrReplaceTool
from agentgym.tools.submit import SubmitTool
from agentgym.tools.text import Output
from agentgym.tools.write_file import WriteFileTool


@runtime_checkable
class Closeable(Protocol):
    """What a tool may leave in `ToolContext.state` that must be ended: the live shell for one."""

    def close(self) -> None: ...


@dataclass(slots=True)
class Relabelled:
    """A tool under another name or description; what it does and what it takes stay the same."""

    tool: Tool
    name: str
    description: str

    def schema(self) -> dict[str, Any]:
        return self.tool.schema()

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        return self.tool.call(arguments, context)


class ToolPool(Mapping[str, Tool]):
    """Tools by name, in the order they are shown."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            _check_name(tool.name)
            if tool.name in self._tools:
                raise UsageError(f"two tools of one pool are named {tool.name!r}: rename one of them")
            self._tools[tool.name] = tool

    @classmethod
    def default(cls, output: Output | None = None) -> Self:
        """Everything there is for work on a repository."""
        return cls(
            [
                BashTool(output),
                ReadFileTool(output),
                WriteFileTool(),
                StrReplaceTool(output),
                SearchTool(output),
                ListFilesTool(output),
                GitDiffTool(output),
                RunTestsTool(output),
                SubmitTool(),
            ]
        )

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"

    def add(self, *tools: Tool) -> Self:
        """With these as well, at the end."""
        return type(self)([*self.values(), *tools])

    def select(self, names: Iterable[str]) -> Self:
        """Only these, in the order named."""
        return type(self)(self._known(name) for name in names)

    def without(self, *names: str) -> Self:
        gone = {self._known(name).name for name in names}
        return type(self)(tool for name, tool in self.items() if name not in gone)

    def rename(self, names: Mapping[str, str]) -> Self:
        """Show some under other names: {old: new}."""
        for old in names:
            self._known(old)
        return type(self)(
            Relabelled(tool, names[name], tool.description) if name in names else tool for name, tool in self.items()
        )

    def describe(self, descriptions: Mapping[str, str]) -> Self:
        """Show some with other descriptions: {name: text}."""
        for name in descriptions:
            self._known(name)
        return type(self)(
            Relabelled(tool, name, descriptions[name]) if name in descriptions else tool for name, tool in self.items()
        )

    def sample(self, n: int, rng: random.Random, *, required: Iterable[str] = ()) -> Self:
        """`n` tools, the required ones among them, the rest drawn by `rng`; order stays (DIVE, arXiv 2603.11076)."""
        kept = {self._known(name).name for name in required}
        if not len(kept) <= n <= len(self):
            raise UsageError(f"cannot sample {n} of {len(self)} tools with {len(kept)} of them required")
        kept |= set(rng.sample([name for name in self if name not in kept], n - len(kept)))
        return type(self)(tool for name, tool in self.items() if name in kept)

    def openai(self) -> list[dict[str, Any]]:
        """As `tools` of OpenAI's chat completions."""
        return [
            {
                "type": "function",
                "function": {"name": name, "description": tool.description, "parameters": tool.schema()},
            }
            for name, tool in self.items()
        ]

    def anthropic(self) -> list[dict[str, Any]]:
        """As `tools` of Anthropic's messages."""
        return [
            {"name": name, "description": tool.description, "input_schema": tool.schema()}
            for name, tool in self.items()
        ]

    def call(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Run one tool call. Raises only SandboxError: whatever is wrong with the call is the answer to it."""
        if call.name not in self:
            there = f"The tools are: {', '.join(self)}." if self else "There are no tools."
            return ToolResult(
                f"There is no tool `{call.name}`{nearest(call.name, self, what='tool')}. {there}", is_error=True
            )
        tool = self[call.name]
        # a model's arguments arrive as text and get here unread from more than one dialect
        given: object = call.arguments
        if isinstance(given, str):
            try:
                given = json.loads(given) if given.strip() else {}
            except json.JSONDecodeError as error:
                near = error.doc[max(error.pos - 20, 0) : error.pos + 20]
                return ToolResult(
                    f"The arguments are not JSON: {error.msg} at character {error.pos}, near {near!r}.", is_error=True
                )
            except (ValueError, RecursionError) as error:
                return ToolResult(f"The arguments cannot be read as JSON: {error}.", is_error=True)
        if not isinstance(given, Mapping):
            return ToolResult(f"The arguments must be a JSON object, found {type(given).__name__}.", is_error=True)
        return tool.call(unquote(given, tool.schema()), context)

    def close(self, context: ToolContext) -> None:
        """End what the tools keep between the calls of an episode, all of it, whatever fails on the way."""
        with ExitStack() as stack:
            for held in context.state.values():
                if isinstance(held, Closeable):
                    stack.callback(held.close)
            context.state.clear()

    def _known(self, name: str) -> Tool:
        if name not in self:
            raise UsageError(
                f"no tool {name!r} in the pool{nearest(name, self, what='tool')}; it has {', '.join(self)}"
            )
        return self[name]


def unquote(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with stringified values read where that is unambiguous.

    Models that write their calls as XML give every value as text, and others quote a number now and then. A text is
    read as JSON only where the schema names types, none of them is a string, and what it says is of one of them.
    """
    fields = schema.get("properties", {})
    return {name: _unquoted(value, _types(fields.get(name, {}))) for name, value in arguments.items()}


def _unquoted(value: Any, types: frozenset[str]) -> Any:
    if isinstance(value, str) and types and "string" not in types:
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return _unquoted(read, types) if not isinstance(read, str) and _JSON_TYPES[type(read)] & types else value
    if isinstance(value, float) and value.is_integer() and "integer" in types and "number" not in types:
        # JSON has one kind of number: 3.0 is an integer to it
        return int(value)
    return value


_JSON_TYPES: dict[type, frozenset[str]] = {
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"integer", "number"}),
    list: frozenset({"array"}),
    dict: frozenset({"object"}),
    type(None): frozenset({"null"}),
}


def _types(field: object) -> frozenset[str]:
    """Types that a field's schema admits; none when it does not say for sure."""
    if not isinstance(field, Mapping):
        return frozenset()
    if "anyOf" in field:
        options = [_types(option) for option in field["anyOf"]]
        return frozenset().union(*options) if all(options) else frozenset()
    named = field.get("type", ())
    return frozenset([named] if isinstance(named, str) else named)


def _check_name(name: str) -> None:
    if not (0 < len(name) <= 64 and all(char.isascii() and (char.isalnum() or char in "_-") for char in name)):
        raise UsageError(f"a tool cannot be named {name!r}: wanted 1 to 64 letters, digits, '_' or '-'")

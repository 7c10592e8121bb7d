"""Arguments, their schema, and what a model is told when they are wrong."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

import pytest
from pydantic import Field

from agentgym.protocols import Tool, ToolContext, ToolResult
from agentgym.tools import Arguments, Mistake, ToolPool, TypedTool
from agentgym.tools.base import object_schema


class Place(Arguments):
    """Somewhere."""

    line: int
    title: str = "none"


class MoveArguments(Arguments):
    """For people."""

    source: Place
    """Where it
    stands."""
    targets: list[Place | None] = Field(default_factory=list)
    mode: Literal["copy", "cut"] = "copy"
    title: str | None = None
    """A field that is called as pydantic's key is."""
    description: int | str = 0


class MoveTool(TypedTool[MoveArguments]):
    name = "move"
    description = "Move it."
    arguments = MoveArguments

    def run(self, arguments: MoveArguments, context: ToolContext) -> ToolResult:
        if arguments.source.line == 0:
            raise Mistake("Line 0 does not exist.")
        return ToolResult("moved")


def test_schema_is_clean_and_whole() -> None:
    place = {
        "type": "object",
        "additionalProperties": False,
        "description": "Somewhere.",
        "properties": {"line": {"type": "integer"}, "title": {"type": "string", "default": "none"}},
        "required": ["line"],
    }
    assert object_schema(MoveArguments) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "source": place | {"description": "Where it stands."},
            "targets": {"type": "array", "items": place},
            "mode": {"type": "string", "enum": ["copy", "cut"], "default": "copy"},
            "title": {"type": "string", "description": "A field that is called as pydantic's key is."},
            "description": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 0},
        },
        "required": ["source"],
    }


def test_a_schema_without_end_is_refused() -> None:
    class Tree(Arguments):
        below: list[Tree]

    Tree.model_rebuild()
    with pytest.raises(TypeError, match="Tree refers to itself"):
        object_schema(Tree)


def test_a_tool_without_arguments_still_has_an_object() -> None:
    class Nothing(Arguments):
        pass

    assert object_schema(Nothing) == {"type": "object", "properties": {}, "additionalProperties": False}


def test_mistakes_are_observations(context: ToolContext) -> None:
    assert MoveTool().call({"source": {"line": 1}}, context) == ToolResult("moved")
    assert MoveTool().call({"source": {"line": 0}}, context) == ToolResult("Line 0 does not exist.", is_error=True)


def test_every_fault_is_named_in_one_line(context: ToolContext) -> None:
    wrong = {"source": {"line": "1"}, "mode": "move", "titel": "x", "targets": [{}]}
    assert MoveTool().call(wrong, context).content == (
        "Bad arguments: `source.line` should be a valid integer, found '1'; `targets.0.line` is missing; "
        "`mode` should be 'copy' or 'cut', found 'move'; there is no argument `titel` (nearest known argument: \"title\"). "
        "It takes source (object), targets (array, optional), mode (string, optional), title (string, optional), "
        "description (any, optional)."
    )


def test_a_long_wrong_value_is_not_repeated_whole(context: ToolContext) -> None:
    assert len(MoveTool().call({"source": "x" * 10_000}, context).content) < 400


@pytest.mark.parametrize("name", list(ToolPool.default()))
def test_every_tool_tells_what_it_takes(name: str) -> None:
    tool: Tool = ToolPool.default()[name]
    schema = tool.schema()
    assert tool.name == name
    assert tool.description.endswith(".")
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    for field in schema["properties"].values():
        assert field["type"] in ("string", "integer", "boolean", "array")
        assert field["description"]
        assert "title" not in field


def test_importing_the_tools_loads_no_mcp() -> None:
    code = "import sys, agentgym.tools; print({'mcp', 'anyio', 'agentgym.tools.mcp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import SandboxLost, UsageError
from agentgym.protocols import ToolCall, ToolContext, ToolResult
from agentgym.tools import Output, ReadFileTool, SubmitTool, ToolPool
from agentgym.tools.pool import unquote
from tests.tools.local_sandbox import LocalSandbox

NAMES = [
    "bash",
    "read_file",
    "write_file",
    "str_replace",
    "search",
    "list_files",
    "git_diff",
    "run_tests",
    "submit",
]


@dataclass(slots=True)
class Echo:
    """Answers with its arguments, and takes whatever `fields` say."""

    fields: dict[str, Any]
    name: str = "echo"
    description: str = "Echo."

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "properties": self.fields}

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        return ToolResult(json.dumps(arguments))


def test_the_default_pool_is_an_ordered_mapping() -> None:
    pool = ToolPool.default()
    assert list(pool) == NAMES
    assert [tool.name for tool in pool.values()] == NAMES
    assert repr(pool.select(["submit", "bash"])) == "ToolPool(submit, bash)"


def test_the_default_pool_passes_output_on(context: ToolContext) -> None:
    pool = ToolPool.default(Output(max_chars=200))
    assert "characters left out" in pool.call(ToolCall("bash", {"command": "seq 1000"}), context).content


def test_every_operation_leaves_the_pool_as_it_was() -> None:
    pool = ToolPool.default()
    assert list(pool.select(["submit", "bash"])) == ["submit", "bash"]
    assert list(pool.without("bash", "submit")) == NAMES[1:-1]
    assert list(pool.add(Echo({}))) == [*NAMES, "echo"]
    assert list(pool.rename({"bash": "shell"})) == ["shell", *NAMES[1:]]
    assert pool.describe({"bash": "Just bash."})["bash"].description == "Just bash."
    assert list(pool) == NAMES
    assert pool["bash"].description != "Just bash."


def test_a_renamed_tool_does_what_it_did(context: ToolContext) -> None:
    pool = ToolPool.default().rename({"bash": "shell", "read_file": "bash"}).describe({"shell": "Runs."})
    (shell,) = pool.select(["shell"]).openai()
    assert shell["function"]["name"] == "shell"
    assert shell["function"]["description"] == "Runs."
    assert shell["function"]["parameters"] == ToolPool.default()["bash"].schema()
    assert pool["bash"].schema() == ReadFileTool().schema()
    pool.call(ToolCall("shell", {"command": "x=1"}), context)
    assert pool.call(ToolCall("shell", {"command": "echo $x"}), context).content == "1"
    assert pool.call(ToolCall("bash", {"path": "gone"}), context).content == "gone does not exist."


def test_schemas_for_either_dialect() -> None:
    pool = ToolPool([SubmitTool()])
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "message": {
                "type": "string",
                "default": "",
                "description": (
                    "The final answer where the task asks for one; else, if anything, a sentence on what was done."
                ),
            }
        },
    }
    about = {"name": "submit", "description": SubmitTool.description}
    assert pool.openai() == [{"type": "function", "function": about | {"parameters": schema}}]
    assert pool.anthropic() == [about | {"input_schema": schema}]
    json.dumps(ToolPool.default().openai())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"bahs": "shell"}, "no tool 'bahs' in the pool \\(nearest known tool: .bash.\\); it has bash, read_file"),
        ({"bash": "submit"}, "two tools of one pool are named 'submit'"),
        ({"bash": "my shell"}, "a tool cannot be named 'my shell': wanted 1 to 64"),
        ({"bash": ""}, "a tool cannot be named ''"),
        ({"bash": "x" * 65}, "a tool cannot be named"),
        ({"bash": "schön"}, "a tool cannot be named 'schön'"),
    ],
)
def test_names_are_checked(names: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ToolPool.default().rename(names)


def test_unknown_names_are_refused_everywhere() -> None:
    pool = ToolPool.default()
    with pytest.raises(UsageError, match="no tool 'shell'"):
        pool.select(["shell"])
    with pytest.raises(UsageError, match="no tool 'shell'"):
        pool.without("shell")
    with pytest.raises(UsageError, match="no tool 'shell'"):
        pool.describe({"shell": ""})
    with pytest.raises(UsageError, match="no tool 'shell'"):
        pool.sample(3, random.Random(0), required=["shell"])


@given(seed=st.integers(), required=st.sets(st.sampled_from(NAMES)), data=st.data())
def test_samples_keep_order_and_what_is_required(seed: int, required: set[str], data: st.DataObject) -> None:
    pool = ToolPool.default()
    n = data.draw(st.integers(len(required), len(pool)))
    sample = pool.sample(n, random.Random(seed), required=required)
    assert len(sample) == n
    assert required <= set(sample)
    assert list(sample) == [name for name in NAMES if name in sample]
    assert list(pool.sample(n, random.Random(seed), required=required)) == list(sample)


@pytest.mark.parametrize("n", [0, 10])
def test_samples_must_be_possible(n: int) -> None:
    with pytest.raises(UsageError, match=f"cannot sample {n} of 9 tools with 1 of them required"):
        ToolPool.default().sample(n, random.Random(0), required=["submit"])


def test_an_unknown_tool_is_answered_with_the_nearest_and_the_list(context: ToolContext) -> None:
    pool = ToolPool.default().select(["bash", "submit"])
    result = pool.call(ToolCall("bahs", {}), context)
    assert result == ToolResult(
        'There is no tool `bahs` (nearest known tool: "bash"). The tools are: bash, submit.', is_error=True
    )
    assert ToolPool().call(ToolCall("x"), context).content == "There is no tool `x`. There are no tools."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("", "{}"),
        ("  ", "{}"),
        ('{"a": ', "The arguments are not JSON: Expecting value at character 6, near '{\"a\": '."),
        ("{'a': 1}", "The arguments are not JSON: Expecting property name enclosed in double quotes at character 1"),
        ("[1]", "The arguments must be a JSON object, found list."),
        ('"text"', "The arguments must be a JSON object, found str."),
        ("null", "The arguments must be a JSON object, found NoneType."),
        ("[" * 100_000, "The arguments cannot be read as JSON: "),
        ('{"a": ' + "1" * 5000 + "}", "The arguments cannot be read as JSON: "),
    ],
)
def test_arguments_may_come_as_json_text(context: ToolContext, text: str, said: str) -> None:
    result = ToolPool([Echo({})]).call(ToolCall("echo", cast(Any, text)), context)
    assert result.content.startswith(said)
    assert result.is_error == (not said.startswith("{"))


@pytest.mark.parametrize(
    ("field", "given", "read"),
    [
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, " -3 ", -3),
        ({"type": "integer"}, "1.0", 1),
        ({"type": "integer"}, 120.0, 120),
        ({"type": "integer"}, "1.5", 1.5),
        ({"type": "integer"}, "twelve", "twelve"),
        ({"type": "integer"}, "", ""),
        ({"type": "integer"}, "true", "true"),
        ({"type": "integer"}, "1_000", "1_000"),
        ({"type": "integer"}, '"12"', '"12"'),
        ({"type": "integer"}, "9" * 5000, "9" * 5000),
        ({"type": "number"}, "0.5", 0.5),
        ({"type": "number"}, 2.0, 2.0),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "1", "1"),
        ({"type": "boolean"}, "yes", "yes"),
        ({"type": "array"}, '["a"]', ["a"]),
        ({"type": "array"}, "a", "a"),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": ["integer", "string"]}, "12", "12"),
        ({"type": "string"}, "12", "12"),
        ({"type": "string"}, 12, 12),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "12", 12),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "12", "12"),
        ({"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/X"}]}, "12", "12"),
        ({}, "12", "12"),
        (True, "12", "12"),
    ],
)
def test_quoted_values_are_read_only_where_that_is_unambiguous(field: object, given: object, read: object) -> None:
    (value,) = unquote({"x": given}, {"properties": {"x": field}}).values()
    assert value == read
    assert type(value) is type(read)


def test_a_quoted_number_reaches_the_tool(context: ToolContext, work: Path) -> None:
    (work / "a").write_text("1\n2\n3\n")
    call = ToolCall("read_file", cast(Any, '{"path": "a", "start_line": "2", "end_line": "2"}'))
    assert ToolPool.default().call(call, context).content == "a: lines 2 to 2 of 3\n     2\t2"
    call = ToolCall("read_file", {"path": "a", "start_line": "two"})
    assert "`start_line` should be a valid integer, found 'two'" in ToolPool.default().call(call, context).content


@given(arguments=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text()))
def test_any_arguments_are_answered(arguments: dict[str, Any]) -> None:
    sandbox = LocalSandbox(Path("/nowhere"))
    context = ToolContext(sandbox=sandbox, workdir=sandbox.workdir)
    for name in ("str_replace", "write_file", "search"):
        # none of these names their required arguments, so nothing is run
        assert ToolPool.default().call(ToolCall(name, arguments), context).is_error


def test_a_lost_sandbox_goes_through(context: ToolContext, sandbox: LocalSandbox) -> None:
    sandbox.stop()
    calls: dict[str, dict[str, Any]] = {
        "bash": {"command": "ls"},
        "read_file": {"path": "a"},
        "write_file": {"path": "a", "content": ""},
        "str_replace": {"path": "a", "old": "a", "new": "b"},
        "search": {"pattern": "a"},
        "list_files": {},
        "git_diff": {},
        "run_tests": {"targets": ["a"]},
    }
    for name, arguments in calls.items():
        with pytest.raises(SandboxLost):
            ToolPool.default().call(ToolCall(name, arguments), context)


def test_closing_ends_everything_whatever_fails(context: ToolContext) -> None:
    ended: list[str] = []

    @dataclass
    class Held:
        name: str
        error: Exception | None = None

        def close(self) -> None:
            ended.append(self.name)
            if self.error:
                raise self.error

    context.state.update(a=Held("a"), b=Held("b", SandboxLost("gone")), c=Held("c"), plain={"no": "close"})
    with pytest.raises(SandboxLost):
        ToolPool().close(context)
    assert sorted(ended) == ["a", "b", "c"]
    assert context.state == {}
    ToolPool().close(context)

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.errors import SandboxLost
from agentgym.protocols import ToolContext
from agentgym.tools import BashTool, Output, ToolPool
from tests.tools.local_sandbox import LocalSandbox


def test_folder_variables_and_functions_persist(context: ToolContext, work: Path) -> None:
    bash = BashTool()
    (work / "sub").mkdir()
    bash.call({"command": "cd sub; x=42; f() { echo $1$1; }"}, context)
    assert bash.call({"command": "pwd; echo $x; f a"}, context).content == f"{work}/sub\n42\naa"


def test_starts_in_the_work_folder_whatever_its_name(sandbox: LocalSandbox, context: ToolContext) -> None:
    odd = Path(sandbox.workdir) / "a 'b' $(touch owned)"
    odd.mkdir()
    context.workdir = str(odd)
    assert BashTool().call({"command": "pwd"}, context).content == str(odd)
    assert not (odd.parent / "owned").exists()


def test_stdout_and_stderr_come_in_order_and_the_exit_code_only_when_it_is_not_0(context: ToolContext) -> None:
    result = BashTool().call({"command": "echo a; echo b >&2; echo c; false"}, context)
    assert result.content == "a\nb\nc\n[exit code 1]"
    assert not result.is_error
    assert BashTool().call({"command": "true"}, context).content == "[no output]"


def test_timeout_is_named_and_the_tool_works_on(context: ToolContext) -> None:
    content = BashTool().call({"command": "echo before; sleep 60", "timeout_s": 1}, context).content
    assert content.startswith("before\n")
    assert content.endswith("[timed out after 1 s]")
    assert BashTool().call({"command": "echo back"}, context).content == "back"


def test_without_a_timeout_of_its_own_the_context_decides(context: ToolContext) -> None:
    context.timeout_s = 0.3
    assert BashTool().call({"command": "sleep 60"}, context).content.endswith("[timed out after 0.3 s]")


def test_a_shell_that_ended_is_replaced(context: ToolContext) -> None:
    assert BashTool().call({"command": "exit 3"}, context).content.endswith("[exit code 3]")
    assert BashTool().call({"command": "echo back"}, context).content == "back"


def test_restart_gives_a_fresh_shell_in_the_work_folder(context: ToolContext, work: Path) -> None:
    bash = BashTool()
    bash.call({"command": "cd /; x=1"}, context)
    old = context.state["bash"]
    assert bash.call({"restart": True}, context).content == "A fresh shell was started."
    assert old.closed
    assert bash.call({"command": "pwd; echo [$x]"}, context).content == f"{work}\n[]"
    assert bash.call({"command": "echo $((1 + 1))", "restart": True}, context).content == "2"


def test_a_removed_work_folder_is_no_reason_to_refuse_a_shell(context: ToolContext, tmp_path: Path) -> None:
    context.workdir = str(tmp_path / "gone")
    assert BashTool().call({"command": "echo here"}, context).content == "here"


def test_long_output_is_cut_in_the_middle(context: ToolContext) -> None:
    content = BashTool(Output(max_chars=200)).call({"command": "seq 1000"}, context).content
    assert content.startswith("1\n2\n3\n")
    assert content.endswith("\n999\n1000")
    assert f"[... {len(chr(10).join(map(str, range(1, 1001)))) - 200} characters left out ...]" in content


def test_output_that_the_sandbox_dropped_is_announced(tmp_path: Path) -> None:
    sandbox = LocalSandbox(tmp_path, output_bytes=100)
    sandbox.start()
    context = ToolContext(sandbox=sandbox, workdir=sandbox.workdir)
    content = BashTool().call({"command": "seq 1000"}, context).content
    assert content.endswith("[the command wrote more than the sandbox keeps; its last output is missing]")
    sandbox.stop()


def test_output_that_is_no_utf8_is_shown_all_the_same(context: ToolContext) -> None:
    assert BashTool().call({"command": r"printf 'a\xffb'"}, context).content == "a\ufffdb"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Bad arguments: `command` is missing."),
        ({"command": "  "}, "Bad arguments: `command` is missing."),
        ({"command": "a\0b"}, "`command` should not hold a NUL character"),
        ({"command": "ls", "timeout_s": 0}, "`timeout_s` should be greater than or equal to 1, found 0"),
        ({"command": "ls", "timeout_s": 601}, "`timeout_s` should be less than or equal to 600, found 601"),
        ({"command": ["ls"]}, "`command` should be a valid string, found ['ls']"),
        ({"cmd": "ls", "comand": "ls"}, 'there is no argument `comand` (nearest known argument: "command")'),
        ({"command": "\ud800"}, r"`command` should be Unicode text, without lone surrogates, found '\ud800'"),
    ],
)
def test_bad_arguments_are_one_line(context: ToolContext, arguments: dict[str, object], said: str) -> None:
    result = BashTool().call(arguments, context)
    assert result.is_error
    assert said in result.content
    assert "\n" not in result.content
    assert result.content.endswith(
        "It takes command (string, optional), timeout_s (integer, optional), restart (boolean, optional)."
    )
    assert "bash" not in context.state


def test_a_lost_sandbox_is_no_observation(context: ToolContext, sandbox: LocalSandbox) -> None:
    sandbox.stop()
    with pytest.raises(SandboxLost):
        BashTool().call({"command": "ls"}, context)


def test_closing_the_pool_ends_the_shell(context: ToolContext, sandbox: LocalSandbox) -> None:
    pool = ToolPool.default()
    pool["bash"].call({"command": "sleep 60 & echo"}, context)
    pool.close(context)
    assert context.state == {}
    assert sandbox.shells[0].closed

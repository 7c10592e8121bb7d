"""run_tests and submit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentgym.protocols import ToolContext
from agentgym.tools import Output, RunTestsTool, SubmitTool
from agentgym.tools.run_tests import count_line


@pytest.fixture
def suite(work: Path, context: ToolContext) -> Path:
    (work / "test_a.py").write_text(
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test_one(self): pass\n    def test_two(self): self.fail('as planned')\n"
    )
    context.test_command = f"# all of them\n{sys.executable} -m unittest test_a"
    return work


def test_the_tasks_own_command(context: ToolContext, suite: Path) -> None:
    content = RunTestsTool().call({}, context).content
    assert content.startswith("2 tests ran, FAILED (failures=1) (exit code 1)\n")
    assert "AssertionError: as planned" in content


def test_pytest_targets(context: ToolContext, suite: Path) -> None:
    content = RunTestsTool().call({"targets": ["test_a.py::T::test_one"]}, context).content
    assert content.startswith("1 passed (exit code 0)\n")
    content = RunTestsTool().call({"targets": ["test_a.py", "nowhere.py; touch owned"]}, context).content
    assert "(exit code 4)" in content or "exit code 4" in content
    assert not (suite / "owned").exists()


def test_the_end_of_the_output_is_what_is_kept(context: ToolContext) -> None:
    context.test_command = "seq 1000; echo '=== 2 failed, 3 passed, 1 warning in 0.12s ==='; exit 1"
    content = RunTestsTool(Output(max_chars=200)).call({}, context).content
    assert content.startswith("2 failed, 3 passed, 1 warning (exit code 1)\n[... ")
    assert content.endswith("\n1000\n=== 2 failed, 3 passed, 1 warning in 0.12s ===")


def test_a_timeout_keeps_what_was_written(context: ToolContext) -> None:
    context.test_command = "echo test_slow; sleep 60"
    content = RunTestsTool().call({"timeout_s": 1}, context).content
    assert content == "Tests ended: timed out after 1 s\ntest_slow"


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("1 failed, 2 passed in 0.03s\n", "1 failed, 2 passed"),
        ("==== 3 passed, 2 skipped, 1 xfailed in 75.10s (0:01:15) ====", "3 passed, 2 skipped, 1 xfailed"),
        ("\x1b[31m1 failed\x1b[0m, 2 passed in 0.03s\n", "1 failed, 2 passed"),
        ("1 passed in 0.01s\nfoo\n2 errors in 0.02s\n", "2 errors"),
        ("Ran 3 tests in 0.001s\n\nOK (skipped=1)\n", "3 tests ran, OK (skipped=1)"),
        ("the 2 passed tests", ""),
        ("no tests ran in 0.01s", ""),
        ("", ""),
    ],
)
def test_counting(output: str, line: str) -> None:
    assert count_line(output) == line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "This task names no command that runs all of its tests: name `targets`."),
        ({"targets": ["--collect-only"]}, "`targets` should name files, folders or tests, no options"),
        ({"targets": [""]}, "`targets` should name files"),
        ({"targets": "test_a.py"}, "`targets` should be a valid list, found 'test_a.py'"),
        ({"targets": [1]}, "`targets.0` should be a valid string, found 1"),
        ({"target": ["a"]}, '(nearest known argument: "targets")'),
    ],
)
def test_what_cannot_be_run(context: ToolContext, arguments: dict[str, object], said: str) -> None:
    result = RunTestsTool().call(arguments, context)
    assert result.is_error
    assert said in result.content


def test_submit_ends_the_work(context: ToolContext) -> None:
    result = SubmitTool().call({}, context)
    assert (result.content, result.submitted, result.is_error) == ("The work is handed in.", True, False)
    assert SubmitTool().call({"message": "42"}, context).content == "42"
    refused = SubmitTool().call({"answer": "42"}, context)
    assert refused.is_error
    assert not refused.submitted

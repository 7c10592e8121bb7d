from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.protocols import ToolContext
from agentgym.tools import Output, SearchTool
from tests.tools.local_sandbox import LocalSandbox


@pytest.fixture
def tree(work: Path) -> Path:
    (work / "src/.git").mkdir(parents=True)
    (work / "src/.git/config").write_text("needle\n")
    (work / "src/a.py").write_text("import os\nneedle = 12\n")
    (work / "src/b.txt").write_text("Needle\r\nné(e)dle\r\n")
    (work / "src/c.bin").write_bytes(b"\0needle")
    (work / "src/-rf").write_text("needle -e\n")
    (work / "src/latin").write_bytes(b"caf\xe9 needle\n")
    (work / "src/odd\nname: 1").write_text("needle\n")
    return work


def test_matches_come_with_path_and_line(context: ToolContext, tree: Path) -> None:
    content = SearchTool().call({"pattern": "needle"}, context).content
    assert content == (
        "src/-rf:1: needle -e\nsrc/a.py:2: needle = 12\nsrc/latin:1: caf\ufffd needle\nsrc/odd\nname: 1:1: needle"
    )
    assert ".git" not in content
    assert "c.bin" not in content


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"pattern": r"needle = \d+"}, ["src/a.py:2: needle = 12"]),
        ({"pattern": r"^import(?! sys)"}, ["src/a.py:1: import os"]),
        ({"pattern": "NEEDLE", "ignore_case": True, "glob": "*.txt"}, ["src/b.txt:1: Needle"]),
        ({"pattern": r"né\(e\)dle"}, ["src/b.txt:2: né(e)dle"]),
        ({"pattern": "-e"}, ["src/-rf:1: needle -e"]),
        ({"pattern": "needle", "path": "src/a.py"}, ["src/a.py:2: needle = 12"]),
        ({"pattern": "needle", "path": "src/../src", "glob": "*.py"}, ["src/a.py:2: needle = 12"]),
        ({"pattern": "nowhere"}, ["No matches."]),
        ({"pattern": "needle", "glob": "*.rs"}, ["No matches."]),
        ({"pattern": "$(touch owned)`touch owned`'\""}, ["No matches."]),
    ],
)
def test_patterns_and_filters(context: ToolContext, tree: Path, arguments: dict[str, object], found: list[str]) -> None:
    result = SearchTool().call(arguments, context)
    assert result.content.split("\n") == found
    assert not result.is_error
    assert not (tree / "owned").exists()


def test_a_path_outside_the_work_folder_is_shown_whole(context: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/a.py").write_text("needle\n")
    assert (
        SearchTool().call({"pattern": "needle", "path": "../lib"}, context).content == f"{tmp_path}/lib/a.py:1: needle"
    )


def test_too_many_matches_are_cut(context: ToolContext, work: Path) -> None:
    (work / "a").write_text("x\n" * 100_000)
    lines = SearchTool().call({"pattern": "x", "max_matches": 3}, context).content.split("\n")
    assert lines == ["a:1: x", "a:2: x", "a:3: x", "[cut after 3 matching lines: narrow the pattern, path or glob]"]
    exact = SearchTool().call({"pattern": "x", "max_matches": 1000}, context).content
    assert exact.endswith("[cut after 1000 matching lines: narrow the pattern, path or glob]")


def test_a_minified_line_does_not_hide_the_others(context: ToolContext, work: Path) -> None:
    (work / "a.js").write_text("x" * 3_000_000 + "\n")
    (work / "b.js").write_text("x\n")
    lines = SearchTool(Output(max_line_chars=40)).call({"pattern": "x+"}, context).content.split("\n")
    assert lines[0].startswith("a.js:1: " + "x" * 40 + " [... ")
    assert lines[1:] == ["b.js:1: x"]


def test_output_beyond_the_sandbox_limit_is_announced(tmp_path: Path) -> None:
    sandbox = LocalSandbox(tmp_path, output_bytes=1000)
    sandbox.start()
    (tmp_path / "work/a").write_text("needle\n" * 100)
    context = ToolContext(sandbox=sandbox, workdir=sandbox.workdir)
    assert "[cut after " in SearchTool().call({"pattern": "needle", "max_matches": 90}, context).content
    sandbox.stop()


def test_time_running_out_is_named(context: ToolContext, sandbox: LocalSandbox) -> None:
    slow = sandbox.root / "bin"
    slow.mkdir()
    (slow / "grep").write_text("#!/bin/sh\nsleep 60\n")
    (slow / "grep").chmod(0o755)

    class Slow(LocalSandbox):
        def environment(self) -> dict[str, str]:
            return super().environment() | {"PATH": f"{slow}:/usr/bin:/bin"}

    context.sandbox = Slow(sandbox.root)
    context.sandbox.start()
    context.timeout_s = 0.3
    content = SearchTool().call({"pattern": "x"}, context).content
    assert content == "No matches.\n[timed out after 0.3 s: search a smaller folder]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pattern": "("}, "The search failed: "),
        ({"pattern": "a", "path": "nowhere"}, "nowhere: No such file or directory"),
        ({"pattern": ""}, "`pattern` should have at least 1 character"),
        ({"pattern": "a\nb"}, "`pattern` should not hold a newline"),
        ({"pattern": "a", "glob": "src/*.py"}, "`glob` should match a file's name and hold no slash"),
        ({"pattern": "a", "max_matches": 0}, "`max_matches` should be greater than or equal to 1"),
        ({"regex": "a"}, "there is no argument `regex`"),
    ],
)
def test_what_cannot_be_searched(context: ToolContext, arguments: dict[str, object], said: str) -> None:
    result = SearchTool().call(arguments, context)
    assert result.is_error
    assert said in result.content
    assert "\n" not in result.content

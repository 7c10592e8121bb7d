from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.protocols import ToolContext
from agentgym.tools import ListFilesTool
from agentgym.tools.list_files import MAX_ENTRIES
from tests.tools.local_sandbox import LocalSandbox


@pytest.fixture
def tree(work: Path) -> Path:
    for folder in (".git/objects", "src/deep/deeper", "empty"):
        (work / folder).mkdir(parents=True)
    for file in (
        "README.md",
        ".env",
        ".git/config",
        "src/a.py",
        "src/.hidden",
        "src/deep/b.py",
        "src/deep/deeper/c.py",
    ):
        (work / file).touch()
    (work / "link").symlink_to("src")
    return work


def test_a_tree_without_hidden_files(context: ToolContext, tree: Path) -> None:
    assert ListFilesTool().call({}, context).content.split("\n") == [
        "./",
        "  README.md",
        "  empty/",
        "  link -> src",
        "  src/",
        "    a.py",
        "    deep/",
    ]


def test_depth_and_path(context: ToolContext, tree: Path) -> None:
    assert ListFilesTool().call({"path": "src", "depth": 3}, context).content.split("\n") == [
        "src/",
        "  a.py",
        "  deep/",
        "    b.py",
        "    deeper/",
        "      c.py",
    ]
    assert ListFilesTool().call({"path": "link", "depth": 1}, context).content == "link/\n  a.py\n  deep/"
    assert ListFilesTool().call({"path": ".git"}, context).content == ".git/\n  config\n  objects/"
    assert ListFilesTool().call({"path": "empty"}, context).content == "empty holds no files, or hidden ones only."


def test_odd_names(context: ToolContext, work: Path) -> None:
    (work / "a\tb $(touch owned)").touch()
    (work / "-delete").mkdir()
    (work / "-delete/x").touch()
    assert ListFilesTool().call({}, context).content == "./\n  -delete/\n    x\n  a\tb $(touch owned)"
    assert ListFilesTool().call({"path": "-delete"}, context).content == "-delete/\n  x"
    assert not (work / "owned").exists()


def test_where_not_all_fits_what_is_near_the_top_is_kept(context: ToolContext, work: Path) -> None:
    (work / "a/b").mkdir(parents=True)
    for i in range(MAX_ENTRIES + 100):
        (work / f"a/b/{i}").touch()
    (work / "z").touch()
    lines = ListFilesTool().call({"depth": 3}, context).content.split("\n")
    assert lines[:3] == ["./", "  a/", "    b/"]
    assert lines[-2] == "  z"
    assert lines[-1] == f"[{MAX_ENTRIES} of {MAX_ENTRIES + 103} shown: list a folder further down, or less deep]"


def test_a_listing_beyond_the_sandbox_limit_keeps_whole_entries(tmp_path: Path) -> None:
    sandbox = LocalSandbox(tmp_path, output_bytes=100)
    sandbox.start()
    for i in range(100):
        (tmp_path / f"work/{i:08}").touch()
    context = ToolContext(sandbox=sandbox, workdir=sandbox.workdir)
    *lines, note = ListFilesTool().call({}, context).content.split("\n")
    assert all(len(line.strip()) == 8 for line in lines[1:])
    assert "of at least " in note
    sandbox.stop()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": "README.md"}, "README.md cannot be listed: Not a directory."),
        ({"path": "gone"}, "gone cannot be listed: No such file or directory."),
        ({"depth": 0}, "`depth` should be greater than or equal to 1"),
        ({"dept": 1}, 'there is no argument `dept` (nearest known argument: "depth")'),
    ],
)
def test_what_cannot_be_listed(context: ToolContext, tree: Path, arguments: dict[str, object], said: str) -> None:
    result = ListFilesTool().call(arguments, context)
    assert result.is_error
    assert said in result.content

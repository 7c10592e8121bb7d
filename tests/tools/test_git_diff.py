from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agentgym.protocols import ToolContext
from agentgym.tools import GitDiffTool, Output
from tests.tools.local_sandbox import LocalSandbox


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(work: Path) -> Path:
    git(work, "init")
    for name in ("kept", "changed", "deleted", "staged"):
        (work / name).write_text(f"{name}\n")
    (work / ".gitignore").write_text("*.log\n")
    (work / "sub").mkdir()
    (work / "sub/inner").write_text("inner\n")
    git(work, "add", ".")
    git(work, "commit", "-m", "first")
    return work


def metadata(repository: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (repository / ".git").rglob("*") if path.is_file()}


def test_everything_since_head_and_the_repository_stays_as_it_was(context: ToolContext, repository: Path) -> None:
    (repository / "changed").write_text("other\n")
    (repository / "deleted").unlink()
    (repository / "staged").write_text("staged twice\n")
    git(repository, "add", "staged")
    (repository / "new é").write_text("new\n")
    (repository / "noise.log").write_text("ignored\n")
    before = metadata(repository)
    content = GitDiffTool().call({}, context).content
    assert metadata(repository) == before
    for line in ("-changed\n+other", "-deleted", "-staged\n+staged twice", "+++ b/new é\t\n@@ -0,0 +1 @@\n+new"):
        assert line in content
    assert "noise" not in content
    assert "kept" not in content


def test_a_work_folder_inside_the_repository_shows_all_of_it(context: ToolContext, repository: Path) -> None:
    context.workdir = str(repository / "sub")
    (repository / "changed").write_text("other\n")
    (repository / "sub/more").write_text("more\n")
    content = GitDiffTool().call({}, context).content
    assert "+other" in content
    assert "+++ b/sub/more" in content


def test_a_path_narrows_it_and_is_no_pattern(context: ToolContext, repository: Path) -> None:
    (repository / "changed").write_text("other\n")
    (repository / "*").write_text("star\n")
    content = GitDiffTool().call({"path": "*"}, context).content
    assert "+star" in content
    assert "other" not in content
    assert "+other" in GitDiffTool().call({"path": str(repository / "changed")}, context).content
    assert GitDiffTool().call({"path": "sub"}, context).content == "Nothing has changed since the last commit."


def test_a_repository_without_a_commit(context: ToolContext, work: Path) -> None:
    git(work, "init")
    (work / "a").write_text("one\n")
    content = GitDiffTool().call({}, context).content
    assert "+++ b/a\n@@ -0,0 +1 @@\n+one" in content
    assert not (work / ".git/index").exists()


def test_a_long_diff_is_cut_in_the_middle(context: ToolContext, repository: Path) -> None:
    (repository / "new").write_text("line\n" * 1000)
    content = GitDiffTool(Output(max_chars=300)).call({}, context).content
    assert content.startswith("diff --git a/new b/new")
    assert "characters left out ...]" in content


def test_without_a_repository_the_sandbox_says_what_differs(context: ToolContext, work: Path) -> None:
    assert GitDiffTool().call({}, context).content == (
        "There is no git repository here, and no file differs from the start."
    )
    (work / "src").mkdir()
    (work / "src/a").touch()
    (work / "b").touch()
    assert GitDiffTool().call({}, context).content == (
        f"There is no git repository here. Files that differ from the start:\nadded    {work}/b\nadded    {work}/src/a"
    )
    assert GitDiffTool().call({"path": "src"}, context).content.endswith(f"start:\nadded    {work}/src/a")


def test_without_git_it_is_the_same(work: Path, sandbox: LocalSandbox) -> None:
    class NoGit(LocalSandbox):
        def environment(self) -> dict[str, str]:
            tools = self.root / "bin"
            tools.mkdir(exist_ok=True)
            if not (tools / "bash").exists():
                (tools / "bash").symlink_to("/bin/bash")
            return super().environment() | {"PATH": str(tools)}

    bare = NoGit(sandbox.root)
    bare.start()
    context = ToolContext(sandbox=bare, workdir=bare.workdir)
    assert GitDiffTool().call({"path": "."}, context).content.startswith("There is no git repository here")


@pytest.mark.parametrize(
    ("path", "said"),
    [("/", "git failed: fatal: /: '/' is outside repository"), ("", "`path` should not be empty")],
)
def test_what_cannot_be_shown(context: ToolContext, repository: Path, path: str, said: str) -> None:
    result = GitDiffTool().call({"path": path}, context)
    assert result.is_error
    assert said in result.content


def test_a_damaged_repository_is_no_empty_diff(context: ToolContext, repository: Path) -> None:
    (repository / ".git/index").write_bytes(b"nonsense")
    result = GitDiffTool().call({}, context)
    assert result.is_error
    assert "git failed: " in result.content

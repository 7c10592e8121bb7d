"""Reading the source of a new task."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import git
import pytest

from agentgym.errors import UsageError
from agentgym.synthesis.origin import find_origin, is_test
from tests.synthesis.conftest import END, NEW_TESTS, START, Commit, NoBackend

NONE: Any = NoBackend()


def unpacked(archive: bytes) -> dict[str, str]:
    """Files by name; a link as `-> target`."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            file = opened.extractfile(member) if member.isreg() else None
            found[member.name] = file.read().decode() if file else f"-> {member.linkname}"
    return found


def test_a_folder_is_vendored_without_what_tools_left(folder: Path) -> None:
    for name in (".git/config", "__pycache__/a.pyc", ".venv/bin/python", "calc/b.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / ".git" / "HEAD").unlink(missing_ok=True)
    (folder / ".git").rename(folder / ".hg")
    (folder / "link").symlink_to("README")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    origin = find_origin(str(folder), NONE)
    archive = origin.context["source.tar.gz"]
    assert unpacked(archive) == {**START, "link": "-> README", "run.sh": "#!/bin/sh\n"}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert (opened.getmember("run.sh").mode, opened.getmember("README").mode) == (0o755, 0o644)
    assert origin.source.path == "environment/source.tar.gz"
    assert find_origin(str(folder), NONE).context["source.tar.gz"] == archive


def test_a_local_repository_is_its_last_commit(folder: Path, commit: Commit) -> None:
    (folder / "README").write_text("Not committed.\n")
    origin = find_origin(str(folder), NONE)
    assert unpacked(origin.context["source.tar.gz"]) == START
    assert (origin.fix, dict(origin.tests)) == (b"", {})


def test_a_fixing_commit(folder: Path, commit: Commit) -> None:
    fixing = commit({**END, "tests/data.txt": "1 3\n"})
    commit({"README": "Later.\n"})
    origin = find_origin(f"{folder}@{fixing[:10]}", NONE)
    assert unpacked(origin.context["source.tar.gz"]) == START
    assert b"+    return sum(values) / len(values)\n" in origin.fix
    assert b"tests" not in origin.fix
    assert origin.tests == {"tests/test_calc.py": NEW_TESTS.encode(), "tests/data.txt": b"1 3\n"}


def test_files_that_archives_leave_out_are_there(folder: Path, commit: Commit) -> None:
    commit({".gitattributes": "tests export-ignore\n"})
    assert "tests/test_calc.py" in find_origin(str(folder), NONE).files


def test_a_repository_elsewhere_is_fetched_when_the_image_is_built(folder: Path, commit: Commit) -> None:
    start = git.Repo(folder).head.commit.hexsha
    fixing = commit(dict(END))
    url = folder.as_uri()
    origin = find_origin(f"{url}@{fixing}", NONE)
    assert (origin.source.git, origin.source.commit) == (url, start)
    assert f"git fetch -q --depth 1 {url} {start}" in origin.dockerfile
    assert origin.context == {}
    assert origin.tests == {"tests/test_calc.py": NEW_TESTS.encode()}
    assert find_origin(url, NONE).source.commit == fixing


def test_what_a_commit_may_be_refused_for(folder: Path, commit: Commit) -> None:
    tests_alone = commit({"tests/test_calc.py": NEW_TESTS})
    (folder / "logo.png").write_bytes(b"\x89PNG\0\1")
    binary = commit({})
    with git.Repo(folder) as repository:
        first = next(repository.iter_commits(reverse=True)).hexsha
    for name, said in (
        ("nope", "found no commit nope in it, wanted a hash, a tag or a branch"),
        (first, "is the first one, wanted one that fixes what was before"),
        (tests_alone, "changes no file but tests"),
        (binary, 'found "Binary files /dev/null and b/logo.png differ", wanted a fix that is all text'),
    ):
        with pytest.raises(UsageError, match=said):
            find_origin(f"{folder}@{name}", NONE)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nowhere", "--from nowhere: found nothing there, wanted a folder, a git repository"),
        ("https://localhost:1/x.git; rm -rf /", "found a character that no URL has"),
        ("file:///nowhere/at-all", "git: fatal:"),
        ("{folder}@abc", "found a folder that is no git repository, wanted it without @abc"),
        ("{empty}", "found an empty folder"),
    ],
)
def test_what_is_refused(spec: str, said: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=said) as caught:
        find_origin(spec.format(folder=folder, empty=tmp_path / "empty"), NONE)
    assert "\n" not in str(caught.value)


def test_a_url_with_an_at_sign_is_no_commit() -> None:
    with pytest.raises(UsageError, match="git@localhost:nobody/nothing: git: "):
        find_origin("git@localhost:nobody/nothing", NONE)


@pytest.mark.parametrize(
    ("path", "yes"),
    [
        ("tests/data/a.txt", True),
        ("src/pkg/test/x.py", True),
        ("pkg/test_x.py", True),
        ("pkg/x_test.py", True),
        ("conftest.py", True),
        ("pkg/testing.py", False),
        ("pkg/latest.py", False),
        ("docs/test_plan.md", False),
    ],
)
def test_which_files_are_tests(path: str, yes: bool) -> None:
    assert is_test(path) is yes

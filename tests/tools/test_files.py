"""read_file and write_file, and how paths are handled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentgym.protocols import ToolContext
from agentgym.tools import Output, ReadFileTool, WriteFileTool
from agentgym.tools.files import resolve, shown
from agentgym.tools.text import cut_head, cut_middle, split_lines
from tests.tools.local_sandbox import LocalSandbox

in_one_sandbox = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# what bash, git, grep or find would read something into
marks = [*"ab-$`'\"\\ ;&|*?[]{}()<>!~#%=\n\té\u2028", "$(touch owned)"]
names = st.lists(st.sampled_from(marks), min_size=1, max_size=8).map("".join)


def test_lines_are_numbered_and_counted(context: ToolContext, work: Path) -> None:
    (work / "a.txt").write_text("one\n\nthree")
    content = ReadFileTool().call({"path": "a.txt"}, context).content
    assert content == "a.txt: lines 1 to 3 of 3\n     1\tone\n     2\t\n     3\tthree"


def test_a_range(context: ToolContext, work: Path) -> None:
    (work / "a.txt").write_text("".join(f"{i}\n" for i in range(1, 21)))
    content = ReadFileTool().call({"path": str(work / "a.txt"), "start_line": 3, "end_line": 4}, context).content
    assert content.endswith("a.txt: lines 3 to 4 of 20\n     3\t3\n     4\t4")
    content = ReadFileTool().call({"path": "a.txt", "start_line": 20, "end_line": 99}, context).content
    assert content.startswith("a.txt: lines 20 to 20 of 20")


def test_a_long_file_says_where_to_go_on(context: ToolContext, work: Path) -> None:
    (work / "a.txt").write_text("".join(f"{i}\n" for i in range(1, 1001)))
    read = ReadFileTool(Output(max_chars=200))
    seen: list[int] = []
    start = 1
    while True:
        head, *body = read.call({"path": "a.txt", "start_line": start}, context).content.split("\n")
        seen += [int(line.split("\t")[1]) for line in body if "\t" in line]
        assert head == f"a.txt: lines {start} to {seen[-1]} of 1000"
        if not body[-1].startswith("["):
            break
        start = seen[-1] + 1
        assert body[-1] == f"[too long for one answer: go on with start_line={start}]"
    assert seen == list(range(1, 1001))


def test_a_long_line_is_cut(context: ToolContext, work: Path) -> None:
    (work / "a.txt").write_text("x" * 500 + "\nend\n")
    content = ReadFileTool(Output(max_chars=200, max_line_chars=50)).call({"path": "a.txt"}, context).content
    assert "x" * 50 + " [... 450 characters left out]\n     2\tend" in content


def test_only_newlines_end_lines(context: ToolContext, work: Path) -> None:
    (work / "a.txt").write_bytes("one\r\ntwo\x0c\u2028still\r\n".encode())
    content = ReadFileTool().call({"path": "a.txt"}, context).content
    assert content == "a.txt: lines 1 to 2 of 2, CRLF line ends\n     1\tone\n     2\ttwo\x0c\u2028still"


def test_bytes_that_are_no_utf8_are_shown_and_announced(context: ToolContext, work: Path) -> None:
    (work / "a.txt").write_bytes(b"caf\xe9\n")
    content = ReadFileTool().call({"path": "a.txt"}, context).content
    assert content.startswith("a.txt: lines 1 to 1 of 1, not UTF-8 throughout")
    assert content.endswith("caf\ufffd")


def test_an_empty_file(context: ToolContext, work: Path) -> None:
    (work / "a.txt").touch()
    assert ReadFileTool().call({"path": "a.txt"}, context).content == "a.txt is empty."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"path": "none.txt"}, "none.txt does not exist."),
        ({"path": "deep.txt"}, "deep.txt does not exist. There is src/deep.txt."),
        ({"path": "src"}, "src is a folder, not a file."),
        ({"path": "image"}, "image is a binary file (5 bytes), not text."),
        ({"path": "huge"}, "huge is larger than 8 MiB: too large to read whole."),
        ({"path": "small/below"}, "small/below cannot be read: Not a directory."),
        ({"path": "/etc/passwd"}, "/etc/passwd cannot be read: outside the sandbox's folder."),
        ({"path": "x" * 300}, "cannot be read: File name too long."),
        ({"path": "small", "start_line": 3}, "`start_line` is 3, but small has 2 lines."),
        ({"path": "small", "start_line": 2, "end_line": 1}, "`end_line` (1) should not be before `start_line` (2)"),
        ({"path": "small", "start_line": 0}, "`start_line` should be greater than or equal to 1"),
        ({"path": ""}, "`path` should not be empty"),
        ({"path": "a\0b"}, "`path` should not hold a NUL character"),
        ({}, "Bad arguments: `path` is missing. It takes path (string), start_line (integer, optional)"),
        ({"path": "small", "line": 1}, "there is no argument `line`"),
    ],
)
def test_what_cannot_be_read(context: ToolContext, work: Path, arguments: dict[str, object], said: str) -> None:
    (work / "src").mkdir()
    (work / "src/deep.txt").touch()
    (work / "image").write_bytes(b"\x89P\0NG")
    (work / "small").write_text("1\n2\n")
    with (work / "huge").open("wb") as huge:
        huge.truncate((8 << 20) + 1)
    result = ReadFileTool().call(arguments, context)
    assert result.is_error
    assert said in result.content


def test_write_creates_folders_and_says_what_it_did(context: ToolContext, work: Path) -> None:
    write = WriteFileTool()
    assert write.call({"path": "a/b/c.txt", "content": "1\n2\n"}, context).content == "Created a/b/c.txt (2 lines)."
    assert write.call({"path": "a/b/c.txt", "content": ""}, context).content == "Replaced a/b/c.txt (0 lines)."
    assert (work / "a/b/c.txt").read_bytes() == b""
    assert (work / "a/b/c.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("mode", [0o755, 0o600, 0o444])
def test_write_keeps_the_mode(context: ToolContext, work: Path, mode: int) -> None:
    (work / "run.sh").write_text("old")
    (work / "run.sh").chmod(mode)
    WriteFileTool().call({"path": "run.sh", "content": "new"}, context)
    assert (work / "run.sh").read_text() == "new"
    assert (work / "run.sh").stat().st_mode & 0o777 == mode


def test_write_goes_through_links(context: ToolContext, work: Path) -> None:
    (work / "real.txt").write_text("old")
    (work / "real.txt").chmod(0o640)
    (work / "link").symlink_to("real.txt")
    (work / "dangling").symlink_to("made.txt")
    WriteFileTool().call({"path": "link", "content": "new"}, context)
    WriteFileTool().call({"path": "dangling", "content": "new"}, context)
    assert (work / "link").is_symlink()
    assert (work / "real.txt").read_text() == (work / "made.txt").read_text() == "new"
    assert (work / "real.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("folder", "folder is a folder, not a file."),
        ("file/below", "file/below cannot be written: "),
        ("/proc/agentgym", "/proc/agentgym cannot be written: outside the sandbox's folder."),
    ],
)
def test_what_cannot_be_written(context: ToolContext, work: Path, path: str, said: str) -> None:
    (work / "folder").mkdir()
    (work / "file").touch()
    result = WriteFileTool().call({"path": path, "content": "x"}, context)
    assert result.is_error
    assert result.content.startswith(said)


@in_one_sandbox
@given(parts=st.lists(names, min_size=1, max_size=3), content=st.text(max_size=50))
def test_any_name_and_any_text_come_back_as_they_were(
    context: ToolContext, sandbox: LocalSandbox, parts: list[str], content: str
) -> None:
    root = Path(sandbox.workdir) / os.urandom(8).hex()
    path = "/".join([root.name, *parts])
    result = WriteFileTool().call({"path": path, "content": content}, context)
    assert not result.is_error, result.content
    (written,) = [place for place in root.rglob("*") if place.is_file()]
    assert written == root.joinpath(*parts)
    assert written.read_bytes() == content.encode()
    read = ReadFileTool().call({"path": path}, context)
    assert read.is_error == ("\0" in content)
    assert not list(sandbox.root.rglob("owned"))


@given(path=st.text(min_size=1).filter(lambda path: "\0" not in path), workdir=st.sampled_from(["/", "/w", "/w/ x"]))
def test_resolved_paths_begin_with_a_slash_and_are_shown_as_the_same_place(path: str, workdir: str) -> None:
    context = ToolContext(sandbox=LocalSandbox(Path("/nowhere")), workdir=workdir)
    absolute = resolve(path, context)
    assert absolute.startswith("/")
    assert os.path.normpath(resolve(shown(absolute, context), context)) == os.path.normpath(absolute)


@given(text=st.text(), limit=st.integers(1, 50))
def test_cutting_keeps_the_ends_and_counts_what_it_leaves_out(text: str, limit: int) -> None:
    for cut, head in ((cut_middle, limit // 2), (cut_head, 0)):
        result = cut(text, limit)
        if len(text) <= limit:
            assert result == text
        else:
            assert result.startswith(text[:head])
            assert result.endswith(text[len(text) - (limit - head) :])
            assert f"[... {len(text) - limit} characters left out ...]" in result


@given(lines=st.lists(st.text(st.characters(exclude_characters="\r\n"))), end=st.sampled_from(["\n", "\r\n"]))
def test_split_lines_undoes_joining(lines: list[str], end: str) -> None:
    assert split_lines("".join(line + end for line in lines)) == lines

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agentgym.protocols import ToolContext
from agentgym.tools import Output, StrReplaceTool
from agentgym.tools.str_replace import occurrences, replace
from tests.tools.local_sandbox import LocalSandbox

in_one_sandbox = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
few = st.text(st.sampled_from("ab.\n"), max_size=12)
any_ends = st.text(st.sampled_from("ab\r\n"), max_size=12)
piece = st.text(st.sampled_from("ab.\n"), min_size=1, max_size=3)


def test_the_changed_lines_are_shown_in_context(context: ToolContext, work: Path) -> None:
    (work / "a.py").write_text("".join(f"line {i}\n" for i in range(1, 11)))
    result = StrReplaceTool().call({"path": "a.py", "old": "line 5\n", "new": "five\nand a half\n"}, context)
    assert result.content == (
        "Replaced 1 occurrence in a.py. It reads now:\n"
        "     2\tline 2\n     3\tline 3\n     4\tline 4\n"
        "     5\tfive\n     6\tand a half\n"
        "     7\tline 6\n     8\tline 7\n     9\tline 8"
    )
    assert (work / "a.py").read_text().splitlines()[3:7] == ["line 4", "five", "and a half", "line 6"]


def test_replace_all_shows_places_near_one_another_once(context: ToolContext, work: Path) -> None:
    (work / "a.py").write_text("x\nx\n" + "-\n" * 20 + "x\n")
    result = StrReplaceTool().call({"path": "a.py", "old": "x", "new": "y", "replace_all": True}, context)
    assert result.content.startswith("Replaced 3 occurrences in a.py. It reads now:\n     1\ty\n     2\ty\n")
    assert result.content.count("\n...\n") == 1
    assert (work / "a.py").read_text() == "y\ny\n" + "-\n" * 20 + "y\n"


def test_replace_all_in_many_places_shows_some(context: ToolContext, work: Path) -> None:
    (work / "a.py").write_text(("x\n" + "-\n" * 10) * 20)
    result = StrReplaceTool().call({"path": "a.py", "old": "x", "new": "y", "replace_all": True}, context)
    assert result.content.endswith("\n...\n[15 more places left out]")
    call = {"path": "a.py", "old": "y\n", "new": "z\n" * 200, "replace_all": True}
    assert "characters left out ...]" in StrReplaceTool(Output(max_chars=200)).call(call, context).content


def test_deleting_everything(context: ToolContext, work: Path) -> None:
    (work / "a").write_text("all")
    content = StrReplaceTool().call({"path": "a", "old": "all", "new": ""}, context).content
    assert content.endswith("[the file is empty now]")
    assert (work / "a").read_text() == ""


def test_mode_mark_and_bytes_that_are_no_utf8_stay(context: ToolContext, work: Path) -> None:
    (work / "a.sh").write_bytes(b"\xef\xbb\xbf#!\xff\xfe\nold\n\xe9")
    (work / "a.sh").chmod(0o751)
    result = StrReplaceTool().call({"path": "a.sh", "old": "old", "new": "new"}, context)
    assert not result.is_error
    result.content.encode()
    assert (work / "a.sh").read_bytes() == b"\xef\xbb\xbf#!\xff\xfe\nnew\n\xe9"
    assert (work / "a.sh").stat().st_mode & 0o777 == 0o751


def test_crlf_stays_crlf(context: ToolContext, work: Path) -> None:
    (work / "a.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    StrReplaceTool().call({"path": "a.txt", "old": "one\ntwo\n", "new": "1\n2\n2.5\n"}, context)
    assert (work / "a.txt").read_bytes() == b"1\r\n2\r\n2.5\r\nthree\r\n"
    StrReplaceTool().call({"path": "a.txt", "old": "2\r\n2.5", "new": "two\r\nmore"}, context)
    assert (work / "a.txt").read_bytes() == b"1\r\ntwo\r\nmore\r\nthree\r\n"
    StrReplaceTool().call({"path": "a.txt", "old": "three", "new": "3\n4"}, context)
    assert (work / "a.txt").read_bytes() == b"1\r\ntwo\r\nmore\r\n3\r\n4\r\n"


def test_a_file_of_lf_takes_the_text_literally(context: ToolContext, work: Path) -> None:
    (work / "a.py").write_bytes(b"head = ''\n")
    StrReplaceTool().call({"path": "a.py", "old": "''", "new": "'''a\r\nb'''"}, context)
    assert (work / "a.py").read_bytes() == b"head = '''a\r\nb'''\n"


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("a\nb\n", {"old": "c", "new": "d"}, "`old` does not occur in f."),
        ("if x:\n    a\n    b\n", {"old": "a\nb", "new": "c"}, None),
        (
            "if x:\n    a\n    b\n",
            {"old": "  a\n  b\n", "new": "c"},
            "With other white space it does, on line 2: compare the indentation.",
        ),
        ("def f():\n", {"old": "     1\tdef f():", "new": "c"}, "Leave out the line numbers"),
        ("a\n", {"old": "  ", "new": "c"}, "`old` does not occur in f."),
        ("x\ny\nx\n", {"old": "x", "new": "y"}, "`old` occurs 2 times in f, on lines 1, 3: take in more"),
        ("aaa", {"old": "aa", "new": "b"}, "`old` occurs 2 times in f, on lines 1, 1"),
        ("x\n" * 30, {"old": "x", "new": "y"}, "on lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more"),
        ("a", {"old": "", "new": "b"}, "`old` should have at least 1 character"),
        ("a", {"old": "a", "new": "a"}, "`old` and `new` should differ"),
        ("a", {"old": "a"}, "`new` is missing"),
        ("a", {"old_str": "a", "new": "b"}, "there is no argument `old_str`"),
        ("a", {"path": "gone", "old": "a", "new": "b"}, "gone does not exist."),
        ("a\0", {"old": "a", "new": "b"}, "f is a binary file (2 bytes), not text."),
    ],
)
def test_what_cannot_be_replaced(
    context: ToolContext, work: Path, text: str, arguments: dict[str, object], said: str | None
) -> None:
    (work / "f").write_text(text)
    result = StrReplaceTool().call({"path": "f", **arguments}, context)
    assert result.is_error
    assert (said or "With other white space it does, on line 2") in result.content
    assert "\n" not in result.content
    assert (work / "f").read_text() == text


@given(text=few, old=piece, new=few)
def test_lf_text_is_replaced_as_str_replace_does(text: str, old: str, new: str) -> None:
    assert replace(text, occurrences(text, old), new)[0] == text.replace(old, new)


@given(text=few, old=piece, new=few)
def test_crlf_text_is_the_lf_text_with_other_line_ends(text: str, old: str, new: str) -> None:
    assume("\n" in text)
    crlf = text.replace("\n", "\r\n")
    assert replace(crlf, occurrences(crlf, old), new)[0] == text.replace(old, new).replace("\n", "\r\n")


@given(text=any_ends, old=any_ends.filter(bool), new=few)
def test_whatever_the_line_ends_the_rest_stays_and_places_are_right(text: str, old: str, new: str) -> None:
    spans = occurrences(text, old)
    edited, places = replace(text, spans, new)
    assert around(text, spans) == around(edited, places)
    assert all(edited[a:b].replace("\r\n", "\n") == new for a, b in places)


def around(text: str, spans: list[tuple[int, int]]) -> list[str]:
    """What `spans` leave of `text`."""
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    return [text[a:b] for a, b in zip(starts, ends, strict=True)]


@given(text=few, old=piece)
def test_overlapping_occurrences_are_all_found(text: str, old: str) -> None:
    found = occurrences(text, old, overlapping=True)
    assert found == [(i, i + len(old)) for i in range(len(text)) if text.startswith(old, i)]


@in_one_sandbox
@given(data=st.binary(max_size=40).filter(lambda data: b"\0" not in data), new=st.text(max_size=5))
def test_any_file_around_a_unique_piece_keeps_its_bytes(
    context: ToolContext, sandbox: LocalSandbox, data: bytes, new: str
) -> None:
    assume(new != "<piece>" and b"<piece>" not in data)
    name = os.urandom(8).hex()
    place = Path(sandbox.workdir) / name
    place.write_bytes(data + b"<piece>" + data)
    result = StrReplaceTool().call({"path": name, "old": "<piece>", "new": new}, context)
    assert not result.is_error, result.content
    written = place.read_bytes()
    assert written.startswith(data)
    assert written.endswith(data)
    inserted = written[len(data) : len(written) - len(data)]
    assert inserted in (new.encode(), new.replace("\r\n", "\n").replace("\n", "\r\n").encode())

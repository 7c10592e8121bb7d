"""Patches as files and numbered lines."""

from __future__ import annotations

import io
import tarfile
import time

from hypothesis import given
from hypothesis import strategies as st

from agentgym.diff import Line, cut, edit, parse
from agentgym.scoring.patch import render
from tests.viewer.episodes import PATCH


def test_files_counts_and_numbers() -> None:
    changed, new = parse(PATCH)
    assert (changed.path, changed.n_added, changed.n_removed) == ("src/isodate/isostrf.py", 2, 1)
    assert (new.path, new.n_added, new.n_removed) == ("tests/test_fraction.py", 7, 0)
    removed = next(line for line in changed.lines if line.kind == "removed")
    added = [line for line in changed.lines if line.kind == "added"]
    assert (removed.old, removed.new) == (132, None)
    assert [(line.old, line.new) for line in added] == [(None, 132), (None, 133)]
    assert new.lines[0].text == "new file mode 100644"


def test_a_plain_diff_of_two_files() -> None:
    one, two = parse("--- a.txt\n+++ a.txt\n@@ -1 +1 @@\n-x\n+y\n--- b.txt\n+++ b.txt\n@@ -1 +1 @@\n-x\n+y\n")
    assert (one.path, two.path) == ("a.txt", "b.txt")


def test_lines_that_look_like_heads_are_lines() -> None:
    (file,) = parse("--- a\n+++ a\n@@ -1,2 +1,2 @@\n--- x\n-diff --git a/q b/q\n+++ y\n+@@ -1 +1 @@\n")
    assert [line.text for line in file.lines[1:]] == ["-- x", "diff --git a/q b/q", "++ y", "@@ -1 +1 @@"]


def test_deleted_moved_and_binary_files_have_their_names() -> None:
    patch = (
        "diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "Binary files a/i.png and b/i.png differ\n"
        "diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n"
    )
    assert [file.path for file in parse(patch)] == ["gone", "Binary files a/i.png and b/i.png differ", "mode"]


def test_what_is_no_diff_is_a_note() -> None:
    (file,) = parse("what?\nthis is no diff")
    assert [line.kind for line in file.lines] == ["note", "note"]
    assert parse("") == []


def test_a_hunk_that_breaks_off() -> None:
    (file,) = parse("--- a\n+++ a\n@@ -1,5 +1,5 @@\n-x\n")
    assert file.n_removed == 1


@given(st.lists(st.text(alphabet="ab-+@\\ \n", max_size=30), min_size=2, max_size=2))
def test_what_the_patch_of_two_states_says_is_what_changed(texts: list[str]) -> None:
    before, after = texts
    files = parse(render(_archive(before), _archive(after)))
    if before == after:
        assert files == []
        return
    (file,) = files
    assert file.path == "some file"
    kept = [line.text for line in file.lines if line.kind in ("context", "removed")]
    made = [line.text for line in file.lines if line.kind in ("context", "added")]
    assert _lines(before) == kept or len(kept) < len(_lines(before))  # far from a change nothing is shown
    assert _lines(after) == made or len(made) < len(_lines(after))
    assert file.n_added - file.n_removed == len(_lines(after)) - len(_lines(before))


def test_an_edit_shows_what_stayed() -> None:
    lines = edit("a\nb\nc", "a\nB\nc")
    assert [(line.kind, line.text) for line in lines] == [("context", "a"), ("removed", "b"), ("added", "B"), ("context", "c")]  # fmt: skip


def test_a_huge_edit_is_not_compared() -> None:
    began = time.perf_counter()
    lines = edit("a\n" * 5000, "a\n" * 4999 + "b\n")
    assert time.perf_counter() - began < 1.0
    assert [line.kind for line in lines] == ["removed"] * 5000 + ["added"] * 5000


def test_long_lines_and_many_lines_are_cut() -> None:
    lines = [Line("added", "x" * 5000), *[Line("added", "y")] * 10]
    shown = cut(lines, 5, 10_000)
    assert shown[0].text.endswith("x [4,000 more characters]")
    assert len(shown) == 5
    assert len(cut(lines, 100, 1030)) == 7


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _archive(text: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("some file")
        info.size, info.mode = len(text), 0o644
        archive.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()

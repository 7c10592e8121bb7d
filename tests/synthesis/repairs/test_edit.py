"""Edits: read, applied, found."""

from __future__ import annotations

import pytest

from agentgym.synthesis.repairs.edit import Edit, EditError, numbered

SOURCE = "def f(xs):\n    acc = 0\n    for x in xs:\n        acc = acc + x\n    return acc\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [("2|0=>1", "    acc = 1"), ("4| + => - ", "        acc = acc - x"), ("5|return acc=>return 0", "    return 0"),
     ("4| + x=>", "        acc = acc"), ("5|    =>        ", "        return acc")],
)  # fmt: skip
def test_apply(text: str, line: str) -> None:
    edit = Edit.parse(text)
    edited = edit.apply(SOURCE)
    assert edited.splitlines()[edit.line - 1] == line
    assert [n for n, (a, b) in enumerate(zip(SOURCE.splitlines(), edited.splitlines(), strict=True), 1) if a != b] == [
        edit.line
    ]
    assert str(edit) == text


@pytest.mark.parametrize(
    "text", ["", "2", "2|0", "|0=>1", "2:0=>1", " 2|0=>1", "2|0=>1\n3|a=>b", "x|a=>b", "99999|a=>b"]
)
def test_unreadable(text: str) -> None:
    with pytest.raises(EditError, match=r"wanted LINE\|OLD=>NEW"):
        Edit.parse(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("9|0=>1", "there is no line 9, the last is 5"), ("0|0=>1", "there is no line 0"), ("2|1=>0", "'1' 0 times"),
     ("4|acc=>x", "'acc' 2 times"), ("4|ac=>x", "'ac' 0 times"), ("2|=>x", "'' 0 times")],
)  # fmt: skip
def test_no_place(text: str, problem: str) -> None:
    with pytest.raises(EditError, match=problem):
        Edit.parse(text).apply(SOURCE)


@pytest.mark.parametrize(
    ("after", "text"),
    [("acc = acc - x", "4| + => - "), ("acc = x + x", "4| = acc=> = x"), ("acc = acc", "4| + x=>"),
     ("acc = acc + x + x", "4|x=>x + x")],
)  # fmt: skip
def test_between_is_the_shortest_that_is_clear(after: str, text: str) -> None:
    edited = SOURCE.replace("acc = acc + x", after)
    edit = Edit.between(SOURCE, edited)
    assert str(edit) == text
    assert edit.apply(SOURCE) == edited


def test_between_wants_one_line() -> None:
    with pytest.raises(ValueError, match="differ in 2 lines"):
        Edit.between(SOURCE, SOURCE.replace("acc", "b", 1).replace("return acc", "return b"))


def test_numbered() -> None:
    assert numbered(SOURCE).splitlines()[1] == "2|    acc = 0"

"""The options of pretty printing hold at every level."""

import pytest

import xmltodict

DATA = {"a": {"@x": "1", "b": {"c": {"d": ["1", "2"]}}, "e": None}}
NOTES = {"a": {"#comment": "one", "b": {"#comment": ["two", "three"], "c": {"#comment": "four", "d": "1"}}}}


def pretty(data, **options):
    return xmltodict.unparse(data, pretty=True, full_document=False, **options)


def lines(indent, newl):
    depths = [(0, '<a x="1">'), (1, "<b>"), (2, "<c>"), (3, "<d>1</d>"), (3, "<d>2</d>"), (2, "</c>"), (1, "</b>")]
    return newl.join(depth * indent + text for depth, text in [*depths, (1, "<e></e>"), (0, "</a>")])


@pytest.mark.parametrize(("indent", "text"), [("..", ".."), (3, "   "), ("", "")])
def test_indent(indent, text):
    assert pretty(DATA, indent=indent) == lines(text, "\n")


@pytest.mark.parametrize("newl", ["\r\n", "|"])
def test_newl(newl):
    assert pretty(DATA, newl=newl) == lines("\t", newl)


def test_both():
    assert pretty(DATA, indent=1, newl="|") == lines(" ", "|")


def test_comments():
    assert pretty(NOTES, indent=2, newl="|").split("|") == [
        "<a>",
        "  <!--one-->",
        "  <b>",
        "    <!--two-->",
        "    <!--three-->",
        "    <c>",
        "      <!--four-->",
        "      <d>1</d>",
        "    </c>",
        "  </b>",
        "</a>",
    ]


def test_comments_with_one_option():
    assert pretty(NOTES, newl="|") == pretty(NOTES).replace("\n", "|")
    assert pretty(NOTES, indent="..") == pretty(NOTES).replace("\t", "..")

"""Text as lexemes: pieces of Python and of plain words, in which this family is broken, mended and read by a model.

A blank belongs to the operator or keyword that it sets off, or to the word of prose that it comes before: so a name and
a digit are the same piece wherever they stand. The pieces of a text, joined, are the text.
"""

from __future__ import annotations

import re

_OPERATORS = r"(?:\*\*|//|<<|>>|[-+*/%&|^<>=!])=?"

PATTERN = "|".join(
    (
        r"\n",
        r"[0-9]+\|",  # the number of a line, as listings show it
        r" {2,}",  # indentation
        r"=>",
        r" (?:and|or|not in|in|is not|is|if|else|for) ",
        r"\b(?:return|for|if|elif|while|def|not|lambda|del|import|from) ",
        rf" {_OPERATORS} ",
        _OPERATORS,
        r"[,:] ",
        r"\(\)|\[\]|\{\}|\"\"",
        r" [A-Za-z_]+",  # a word of prose
        r"[A-Za-z_]+",
        r"[0-9]",
        r"[^ ]| ",
    )
)
"""For `re` and for Oniguruma alike."""

_PIECES = re.compile(PATTERN)
_WITH_HOLES = re.compile(rf"\$[a-z]+[0-9]?|{PATTERN}")


def lexemes(text: str, *, holes: bool = False) -> list[str]:
    """The pieces of `text`. `holes`: it is a template's, whose holes are pieces."""
    return (_WITH_HOLES if holes else _PIECES).findall(text)

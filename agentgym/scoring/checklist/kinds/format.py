"""The form of what the agent says: how long, how it begins and ends, Markdown, JSON."""

from __future__ import annotations

import json
import re
from typing import Literal

from pydantic import Field

from agentgym.scoring.checklist.event import Texts
from agentgym.scoring.checklist.record import Record, Reply
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.replies import Fault, Where, around, decided, prose
from agentgym.scoring.checklist.verdict import Finding

_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)[^\n]+?(?<!`)\1(?!`)")
"""`__init__` is no bold text."""

Feature = Literal["heading", "bold", "bullets", "numbers", "table", "code_block", "unlabelled_code", "link", "quote"]
_FEATURES: dict[Feature, str] = {
    "heading": r"^#{1,6} +\S",
    "bold": r"\*\*[^*\n]+\*\*|__[^_\n]+__",
    "bullets": r"^[ \t]*[-*+•] +\S",
    "numbers": r"^[ \t]*\d+[.)] +\S",
    "table": r"^\|?[ \t]*:?-{3,}:?[ \t]*\|",
    "link": r"\[[^\]\n]+\]\([^)\n]+\)",
    "quote": r"^> ",
    "code_block": r"^[ \t]*(?:`{3,}|~{3,})",
    "unlabelled_code": r"^[ \t]*(?:`{3,}|~{3,})[ \t]*\n(?:(?!^[ \t]*(?:`{3,}|~{3,})).*\n)*?[ \t]*(?:`{3,}|~{3,})",
}
"""Of Markdown. The last two are of blocks of code, the others of what is around them."""


@kind("text_length")
class TextLength(Check):
    """How long a reply is."""

    max_words: int | None = Field(default=None, ge=0)
    min_words: int = Field(default=0, ge=0)
    max_lines: int | None = Field(default=None, ge=0)
    """That are not blank."""
    max_chars: int | None = Field(default=None, ge=0)
    where: Where = "last"

    def look(self, record: Record) -> Finding:
        def fault(reply: Reply) -> Fault | None:
            sizes = (
                (len(re.findall(r"\S*\w\S*", reply.text)), self.max_words, "words"),
                (sum(1 for line in reply.text.splitlines() if line.strip()), self.max_lines, "lines"),
                (len(reply.text), self.max_chars, "characters"),
            )
            for size, limit, unit in sizes:
                if limit is not None and size > limit:
                    return f"has {size} {unit}, wanted at most {limit}", reply.text
            n_words = sizes[0][0]
            if n_words < self.min_words:
                return f"has {n_words} words, wanted at least {self.min_words}", reply.text
            return None

        return decided(record, self.where, fault, silence="fail" if self.min_words else "beside")


@kind("opens_with")
class OpensWith(Check):
    """What is said begins with one of the texts."""

    texts: Texts = Field(min_length=1)
    where: Where = "first"

    def look(self, record: Record) -> Finding:
        why = f"does not begin with {' or '.join(self.texts)}"
        return decided(
            record,
            self.where,
            lambda reply: None if reply.text.startswith(self.texts) else (why, reply.text),
            silence="fail",
        )


@kind("closes_with")
class ClosesWith(Check):
    """What is said ends with one of the texts."""

    texts: Texts = Field(min_length=1)
    where: Where = "last"

    def look(self, record: Record) -> Finding:
        why = f"does not end with {' or '.join(self.texts)}"
        return decided(
            record,
            self.where,
            lambda reply: None if reply.text.rstrip().endswith(self.texts) else (why, reply.text[-150:]),
            silence="fail",
        )


@kind("markdown")
class Markdown(Check):
    """Which features of Markdown a reply has, and has not."""

    require: tuple[Feature, ...] = ()
    forbid: tuple[Feature, ...] = ()
    where: Where = "every"

    def look(self, record: Record) -> Finding:
        def fault(reply: Reply) -> Fault | None:
            for feature in self.forbid:
                if hit := _feature(reply.text, feature):
                    return f"has {feature}", around(reply.text, hit)
            missing = [feature for feature in self.require if not _feature(reply.text, feature)]
            return (f"has no {', no '.join(missing)}", reply.text) if missing else None

        return decided(record, self.where, fault, silence="fail" if self.require else "beside")


@kind("json_text")
class JsonText(Check):
    """A reply is a JSON object, by itself or as the only block of code, with these keys among its own."""

    keys: Texts = ()
    where: Where = "last"

    def look(self, record: Record) -> Finding:
        def fault(reply: Reply) -> Fault | None:
            text = reply.text.strip()
            block = re.fullmatch(r"```(?:json)?\s*\n(.*)\n```", text, re.DOTALL)
            try:
                value = json.loads(block[1] if block else text)
            except (ValueError, RecursionError):
                return "is no JSON", text
            if not isinstance(value, dict):
                return "is no JSON object", text
            missing = [key for key in self.keys if key not in value]
            return (f"has no {', no '.join(missing)}", text) if missing else None

        return decided(record, self.where, fault, silence="fail")


def _blank(match: re.Match[str]) -> str:
    return "x" * len(match[0])


def _feature(text: str, feature: Feature) -> re.Match[str] | None:
    around = text if feature in ("code_block", "unlabelled_code") else _CODE_SPAN.sub(_blank, prose(text))
    return re.search(_FEATURES[feature], around, re.MULTILINE)

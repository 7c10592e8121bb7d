"""A judge's sheet taken apart, by what its own text says of fences and questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentgym.protocols import Message


@dataclass(frozen=True)
class Asked:
    fence: str
    mark: str
    record: str
    """Between the fences."""
    beside: str
    """What stands outside of them."""
    questions: dict[str, str]
    """Name to text, in the order of the sheet."""


def read_sheet(messages: Sequence[Message]) -> Asked:
    system, user = (message["content"] or "" for message in messages)
    found = re.search(r"between <([^>]+)> and", system)
    assert found is not None
    mark = re.search(r"a line that begins with (\S+)", system)
    assert mark is not None
    before, record, after = re.split(rf"</?{found[1]}>", user)
    questions = dict(re.findall(r"^- ([A-Z]{5}): (.*)$", after, re.MULTILINE))
    return Asked(found[1], mark[1], record, before + after, questions)

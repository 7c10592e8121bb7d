"""Small judges that read what they are sent as a model would, and fail in one way each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentgym.errors import ModelError
from agentgym.protocols import Message, Reply, Sampling, Usage
from tests.scoring.judge.sheets import Asked, read_sheet

Says = Callable[[Asked], object]


class FakeJudge:
    """Says what `says` makes of a question; what that returns is JSON, an Exception is raised."""

    def __init__(self, says: Says, name: str = "fake") -> None:
        self.name = name
        self.sheets: list[Asked] = []
        self._says = says

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Reply:
        asked = read_sheet(messages)
        self.sheets.append(asked)
        said = self._says(asked)
        if isinstance(said, Exception):
            raise said
        text = said if isinstance(said, str) else json.dumps(said)
        return Reply({"role": "assistant", "content": text}, usage=Usage(1000, 50))


def honest(answers: Mapping[str, tuple[str, str]]) -> Says:
    """Text of a question to verdict and quote; the control is looked up in the record."""

    def says(asked: Asked) -> object:
        return {"verdicts": [_entry(asked, name, text, answers) for name, text in asked.questions.items()]}

    return says


def _entry(asked: Asked, name: str, text: str, answers: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    word = re.search(r'the word "(\w+)"', text)
    if word is not None:
        found = word[1] in asked.record
        return {"id": name, "verdict": "pass" if found else "fail", "quote": word[1] if found else "", "why": "looked"}
    verdict, quote = answers[text]
    return {"id": name, "verdict": verdict, "quote": quote, "why": "because"}


def obedient(asked: Asked) -> object:
    """Does as the record says, wherever that is: one verdict for everything, the first line as its quote."""
    ordered = re.search(r"mark everything (\w+)", asked.record)
    line = next(line for line in asked.record.splitlines() if "mark everything" in line)
    said = ordered[1] if ordered else "fail"
    return {"verdicts": [{"id": name, "verdict": said, "quote": line, "why": "told so"} for name in asked.questions]}


def parroting(asked: Asked) -> object:
    """Repeats the verdicts that the agent printed."""
    found = re.search(r'\{"verdicts".*?\]\}', asked.record, re.DOTALL)
    return found[0] if found else "none"


def down(_: Asked) -> object:
    return ModelError("the judge's server is down")

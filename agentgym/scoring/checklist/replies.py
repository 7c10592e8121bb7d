"""Which of the agent's replies a rule is about, and what is wrong with them. It knows no rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from agentgym.scoring.checklist.record import Record, Reply, evidence
from agentgym.scoring.checklist.verdict import Finding, beside, failed, passed

Where = Literal["every", "any", "first", "last"]
"""Which of the replies that say something. first, last: of each of the user's turns; last is its very last reply, the
final answer."""

Fault = tuple[str, str]
"""What is wrong with a reply, and the words that show it."""


CODE_BLOCK = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)


def chosen(record: Record, where: Where) -> list[Reply]:
    """The replies that a rule is about."""
    if where in ("every", "any"):
        return list(record.said)
    picked = []
    for number in record.queries:
        main = [reply for reply in record.replies if reply.main and reply.query == number]
        said = [reply for reply in main if reply.text]
        picked += main[-1:] if where == "last" else said[:1]
    return [reply for reply in picked if reply.text]


def decided(
    record: Record,
    where: Where,
    fault: Callable[[Reply], Fault | None],
    *,
    silence: Literal["fail", "beside"] = "beside",
) -> Finding:
    """Whether the replies are without fault: one of them for "any", else all. `silence`: what it is to say nothing."""
    replies = chosen(record, where)
    if not replies:
        why = "the agent says nothing" if where != "last" else "the agent ends without a word"
        return failed(why) if silence == "fail" else beside(why)
    faults = [(reply, fault(reply)) for reply in replies]
    good = [reply for reply, wrong in faults if wrong is None]
    if where == "any" and good:
        return passed(evidence=[evidence(good[0], quote=good[0].text)])
    bad = [(reply, wrong) for reply, wrong in faults if wrong is not None]
    if not bad:
        return passed()
    return failed(bad[0][1][0], [evidence(reply, quote=words) for reply, (_, words) in bad])


def prose(text: str) -> str:
    return CODE_BLOCK.sub("", text)


def shown(match: re.Match[str] | None, why: str) -> Fault | None:
    return (why, around(match.string, match)) if match else None


def around(text: str, match: re.Match[str]) -> str:
    """The line in which something was found."""
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    line = text[start : end if end >= 0 else None]
    return line if len(line) <= 160 else text[max(start, match.start() - 60) : match.end() + 60]

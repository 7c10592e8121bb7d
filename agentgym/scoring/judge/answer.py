"""What a judge said, read with distrust: an answer counts where its question was asked and its quote is in the record.

What was invented is dropped, what is missing is missing; nothing becomes a pass by being unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from agentgym.scoring.judge.question import Sheet
from agentgym.scoring.judge.transcript import Transcript
from agentgym.verdict import Evidence, Result, Verdict

_SAID = ("pass", "fail", "not_applicable")
assert set(_SAID) < set(get_args(Result))


class Unusable(Exception):
    """Nothing of an answer counts; the message says why."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What counts of one answer."""

    verdicts: dict[str, Verdict]
    """By item."""
    problems: dict[str, str]
    """Item to why it has no verdict."""


def read_answer(text: str, sheet: Sheet, transcript: Transcript) -> Ballot:
    """Raises Unusable where it is no such JSON, or where the control was answered with anything but fail."""
    said = _by_name(text)
    control = said.get(sheet.control, {}).get("verdict")
    if control != "fail":
        raise Unusable(
            f"the control, whose answer is fail, was answered with {control!r}: the judge does not read the record, or "
            "does as the record says"
        )
    verdicts, problems = {}, {}
    for name, item in sheet.items.items():
        if name not in said:
            problems[item] = "the judge gave no verdict"
            continue
        verdict = _verdict(item, said[name], transcript)
        if isinstance(verdict, Verdict):
            verdicts[item] = verdict
        else:
            problems[item] = verdict
    return Ballot(verdicts, problems)


def _by_name(text: str) -> Mapping[str, Mapping[str, Any]]:
    """The first answer of each name; a judge that thinks aloud does so before its JSON."""
    body = text.rpartition("</think>")[2]
    start, end = body.find("{"), body.rfind("}")
    try:
        data = json.loads(body[start : end + 1])
        entries = data["verdicts"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unusable(f"found {body.strip()[:80]!r}, wanted a JSON object with verdicts") from None
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            found.setdefault(str(entry.get("id")), entry)
    return found


def _verdict(item: str, said: Mapping[str, Any], transcript: Transcript) -> Verdict | str:
    """The verdict, or why there is none."""
    result, quote, why = said.get("verdict"), said.get("quote"), str(said.get("why") or "")
    if result not in _SAID:
        return f"the judge said {str(result)[:40]!r}, wanted pass, fail or not_applicable"
    if result == "not_applicable":
        return Verdict(item=item, result="not_applicable", why=why)
    passage = transcript.find(quote) if isinstance(quote, str) else None
    if passage is None:
        return f"the judge said {result} and its quote is not in the record: {str(quote)[:80]!r}"
    evidence = Evidence(turn=passage.turn, call=passage.call, tool_call=passage.tool_call, quote=str(quote)[:200])
    return Verdict(item=item, result=result, why=why, evidence=(evidence,))

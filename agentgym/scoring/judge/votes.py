"""Several verdicts of one item made into one. A vote that was not given is no vote for anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from agentgym.verdict import Verdict

Rule = Literal["majority", "min"]
"""majority: what more than half of all votes say. min: a fail where one vote says so, a pass where all were given and
none does."""


def counted(item: str, given: Sequence[Verdict], n_votes: int, rule: Rule, problem: str) -> Verdict:
    """The verdict of `n_votes` votes, of which these were given; `problem` says why others were not."""
    counts = Counter(verdict.result for verdict in given)
    if rule == "majority":
        result = next((result for result, n in counts.items() if 2 * n > n_votes), None)
    elif counts["fail"]:
        result = "fail"
    elif len(given) < n_votes:
        result = None
    else:
        result = "pass" if counts["pass"] else "not_applicable"
    tally = ", ".join(f"{n} {result}" for result, n in counts.most_common())
    if result is None:
        missing = f"{n_votes - len(given)} of {n_votes} votes missing" if len(given) < n_votes else "no majority"
        return Verdict(item=item, result="error", why="; ".join(filter(None, (missing, tally, problem))))
    agreeing = [verdict for verdict in given if verdict.result == result]
    why = agreeing[0].why if n_votes == 1 else f"{tally}: {agreeing[0].why}"
    evidence = tuple(dict.fromkeys(evidence for verdict in agreeing for evidence in verdict.evidence))
    return Verdict(item=item, result=result, why=why, evidence=evidence)

"""Episodes to look at: one that has everything, one that is hostile, a large one, and many small ones."""

from __future__ import annotations

import json
import math
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

from agentgym.call import Call, CallTokens
from agentgym.errors import ModelError
from agentgym.protocols import Message, StopReason, Usage
from agentgym.store import TrajectoryStore, encode
from agentgym.trajectory import Failure, Outcome, StepRecord, Timing, Trajectory, Turn
from tests.trajectories import NOON, make_trajectory

SYSTEM: Message = {
    "role": "system",
    "content": "You are a software engineer. You work in a repository with the tools you are given, and you hand the work in when it is checked.",
}
INSTRUCTION: Message = {
    "role": "user",
    "content": "Fractions of a second grow when a duration is formatted: `PT1.05S` comes out as `PT1.5S`.\n\n"
    "Make formatting a `timedelta` or a `Duration` and parsing it again give the same value, down to the microsecond, "
    "and keep trailing zeros out of the fraction.",
}
PATCH = """diff --git a/src/isodate/isostrf.py b/src/isodate/isostrf.py
--- a/src/isodate/isostrf.py
+++ b/src/isodate/isostrf.py
@@ -129,7 +129,8 @@ def _strfduration(tdt, format, yeardigits=4):
                     ret.append("%sM" % minutes)
                 if seconds or usecs:
                     if usecs:
-                        ret.append(("%d.%d" % (seconds, usecs)).rstrip("0"))
+                        # six digits: the zeros in front count
+                        ret.append(("%d.%06d" % (seconds, usecs)).rstrip("0"))
                     else:
                         ret.append("%d" % seconds)
                     ret.append("S")
diff --git a/tests/test_fraction.py b/tests/test_fraction.py
new file mode 100644
--- /dev/null
+++ b/tests/test_fraction.py
@@ -0,0 +1,7 @@
+from datetime import timedelta
+
+from isodate import duration_isoformat, parse_duration
+
+
+def test_round_trip():
+    assert parse_duration(duration_isoformat(timedelta(seconds=1.05))) == timedelta(seconds=1.05)
"""
LISTING = "\n".join(f"src/isodate/isostrf.py:{110 + n}:            line {n} of the formatter" for n in range(60))


def tool_call(id: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def reply(text: str, *calls: dict[str, Any], reasoning: str = "") -> Message:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = list(calls)
    return message  # type: ignore[return-value]


def sampled(text: str, seed: int = 0) -> CallTokens:
    """Tokens that are words, as likely as a die says."""
    words = [f"{word} " for word in text.split(" ")] or [""]
    die = random.Random(seed)
    logprobs = [min(-1e-4, -(die.expovariate(1.4) ** 2.2)) for _ in words]
    half = len(words) // 2
    return CallTokens(
        prompt=list(range(40)),
        sampled=[die.randrange(49152) for _ in words],
        logprobs=logprobs,
        versions=[(6, half), (7, len(words) - half)],
        texts=words,
    )


def answered(
    message: Message, *said: Message, parent: int | None = None, n_kept: int = 0, at_s: float = 0.0, **values: Any
) -> Call:
    """A call with tokens."""
    text = f"{message.get('reasoning_content', '')} {message['content']}".strip()
    for call in message.get("tool_calls", ()):
        text += f" <tool_call> {call['function']['name']} {call['function']['arguments']} </tool_call>"
    tokens = sampled(text, seed=len(text))
    return Call(
        **{
            "parent": parent,
            "drift": "root" if parent is None else "clean",
            "n_kept": n_kept,
            "messages": list(said),
            "reply": message,
            "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
            "usage": Usage(900 + 400 * n_kept, len(tokens.sampled)),
            "tokens": tokens,
            "started_at": NOON + timedelta(seconds=at_s),
            "duration_s": 0.02 * len(tokens.sampled),
            **values,
        }
    )


def result(id: str, text: str) -> Message:
    return {"role": "tool", "content": text, "tool_call_id": id}


FIRST = reply(
    "I look for the code that formats fractions, and reproduce the report.",
    tool_call("c1", "bash", command='python - <<\'PY\'\nfrom datetime import timedelta\nfrom isodate import duration_isoformat\nprint(duration_isoformat(timedelta(seconds=1, milliseconds=50)))\nPY'),
    tool_call("c2", "search", pattern="usecs", glob="*.py"),
    reasoning="The fraction loses the zeros in front of it. `%d.%d` is the likely culprit: 50 ms are 50000 microseconds, and written with %d the leading zero is gone.\n\nLet me see it happen before I change anything.",
)  # fmt: skip
SECOND = reply(
    "It prints PT1.5S: the microseconds are written without their leading zeros.",
    tool_call("c3", "str_replace", path="src/isodate/isostrf.py", old='ret.append(("%d.%d" % (seconds, usecs)).rstrip("0"))\nelse:', new='# six digits: the zeros in front count\nret.append(("%d.%06d" % (seconds, usecs)).rstrip("0"))\nelse:'),
)  # fmt: skip
THIRD = reply(
    "",
    tool_call("c4", "str_replace", path="src/isodate/isostrf.py", old='ret.append(("%d.%d" % (seconds, usecs)).rstrip("0"))', new='ret.append(("%d.%06d" % (seconds, usecs)).rstrip("0"))'),
    reasoning="The piece was not exact: there is indentation before `else`. A single line is enough.",
)  # fmt: skip
FOURTH = reply(
    "Now a test that would have caught it, and the whole suite.",
    tool_call("c5", "write_file", path="tests/test_fraction.py", content="from datetime import timedelta\n\nfrom isodate import duration_isoformat, parse_duration\n\n\ndef test_round_trip():\n    assert parse_duration(duration_isoformat(timedelta(seconds=1.05))) == timedelta(seconds=1.05)\n"),
    tool_call("c6", "run_tests", targets=["tests"]),
)  # fmt: skip
FIFTH = reply("Every value survives the round trip and the suite is green.", tool_call("c7", "submit", message="Six digits for microseconds."))  # fmt: skip
OBSERVATIONS = {
    "c1": "PT1.5S",
    "c2": LISTING,
    "c3": "`old` does not occur in src/isodate/isostrf.py. The nearest piece is on line 132.",
    "c4": "Replaced 1 occurrence in src/isodate/isostrf.py.",
    "c5": "Wrote 7 lines to tests/test_fraction.py.",
    "c6": "281 passed in 1.52s",
    "c7": "The work is handed in.",
}


def rich(**values: Any) -> Trajectory:
    """Reasoning, parallel calls, an edit that failed, tokens, a sub-agent, a compaction, verdicts, a patch."""
    replies = [FIRST, SECOND, THIRD, FOURTH, FIFTH]
    conversation: list[Message] = [SYSTEM, INSTRUCTION]
    said: list[Message] = list(conversation)
    calls: list[Call] = []
    turns: list[Turn] = []
    for n, message in enumerate(replies):
        if n == 3:  # compaction: what was said is told again in short
            summary: Message = {"role": "user", "content": "So far: the fraction is fixed in isostrf.py. Left: a test, and the suite."}  # fmt: skip
            calls.append(answered(reply("Leading zeros were lost in isostrf.py, line 132."), {"role": "system", "content": "You search code."}, {"role": "user", "content": "Where are fractions of seconds formatted? Answer with file and line."}, at_s=30))  # fmt: skip
            calls.append(answered(message, summary, parent=2, n_kept=2, drift="forked", at_s=40))
        else:
            parent = len(calls) - 1 if calls else None
            calls.append(answered(message, *said, parent=parent, n_kept=0 if parent is None else len(conversation) - len(said), at_s=10 * n))  # fmt: skip
        steps = [
            StepRecord(
                name=call["function"]["name"],
                arguments=json.loads(call["function"]["arguments"]),
                id=call["id"],
                observation=OBSERVATIONS[call["id"]],
                is_error=call["id"] == "c3",
                started_at=NOON + timedelta(seconds=10 * n + 3),
                duration_s=0.18 * (m + 1),
            )
            for m, call in enumerate(message.get("tool_calls", ()))
        ]
        turns.append(
            Turn(
                message=message,
                finish_reason="tool_calls",
                usage=calls[-1].usage,
                started_at=NOON + timedelta(seconds=10 * n),
                duration_s=calls[-1].duration_s,
                steps=steps,
            )
        )
        said = [result(step.id, step.observation) for step in steps]
        conversation += [message, *said]
    return make_trajectory(
        **{
            "task": "isodate-fraction-of-second-grows",
            "id": "5f2c90d1e37ab846",
            "scaffold": "tools",
            "model": "policy:smollm2",
            "messages": conversation,
            "tools": [
                {"type": "function", "function": {"name": name, "parameters": {}}} for name in ("bash", "search")
            ],
            "turns": turns,
            "calls": calls,
            "patch": PATCH,
            "seed": 11,
            "outcome": Outcome(
                reward=0.75,
                rewards={"tests": 1.0, "style": 0.5},
                fail_to_pass={
                    "tests/test_fraction_of_second.py::test_leading_zeros_are_kept[duration0-PT1.05S]": "passed",
                    "tests/test_fraction_of_second.py::test_leading_zeros_are_kept[duration1-PT0.04S]": "passed",
                    "tests/test_fraction_of_second.py::test_every_power_of_ten_round_trips": "failed",
                },
                pass_to_pass={
                    "tests/test_duration.py::test_gone": "missing",
                    **{f"tests/test_duration.py::test_parse[{n}]": "passed" for n in range(90)},
                },
                detail="2 of 3 tests that had to pass do; 1 that had to stay is missing",
            ),
            "timing": Timing(sandbox_s=0.9, agent_s=4.6, model_s=11.2, grading_s=3.1, overhead_s=0.2),
            "versions": {"agentgym": "0.1.0", "python": "3.11.9"},
            **values,
        }
    )


ATTACK = '<script>window.hacked = 1</script>"\'><img src=x onerror="window.hacked = 2"><a href="javascript:window.hacked=3">x</a>'
HIDDEN = (
    "\x1b[31mred\x1b[0m \u202egnp.exe\u202c nul:\x00 half:\ud800 cr:\rover \u2066iso\u2069 \U000e0041tag \u200bzero"
)
NASTY = f"{ATTACK} {HIDDEN} {{{{ 7 * 7 }}}} {{% raw %}} </pre></textarea></style></title>]]>--><!--"


def hostile() -> Trajectory:
    """Everything that an agent, a model or a task can write is an attack."""
    message = reply(NASTY, tool_call(NASTY, NASTY, command=NASTY), reasoning=NASTY)
    steps = [
        StepRecord(name=name, arguments=arguments, observation=NASTY, is_error=True, started_at=NOON, duration_s=0.1)
        for name, arguments in [
            (NASTY, {"command": NASTY}),
            (NASTY, {NASTY: NASTY, "list": [NASTY], "../../x": {ATTACK: NASTY}}),
            ("str_replace", {"path": NASTY, "old": NASTY, "new": f"{NASTY}\n{NASTY}"}),
            ("write_file", {"path": NASTY, "content": NASTY}),
            ("", NASTY),
            ("", {"answer": NASTY}),
        ]
    ]
    call = answered(message, {"role": "system", "content": NASTY}, {"role": "user", "content": NASTY})
    assert call.tokens is not None
    tokens = call.tokens.model_copy(update={"texts": [NASTY] * len(call.tokens.sampled)})
    failed = call.model_copy(update={"reply": None, "error": NASTY, "parent": 0, "drift": "forked", "stripped": [NASTY], "tokens": None})  # fmt: skip
    parts = [{"type": "text", "text": NASTY}, {"type": "image_url", "image_url": {"url": "javascript:window.hacked=4"}}]
    return make_trajectory(
        task=NASTY,
        id=NASTY,
        scaffold=NASTY,
        model=NASTY,
        backend=NASTY,
        messages=[{"role": "system", "content": NASTY}, {"role": "user", "content": parts}, {"role": NASTY, "content": None}, message],
        tools=[{"type": "function", "function": {"name": NASTY}}],
        turns=[Turn(message=message, started_at=NOON, duration_s=1.0, steps=steps)],
        calls=[call.model_copy(update={"tokens": tokens}), failed],
        patch=f"diff --git a/{NASTY} b/{NASTY}\n--- a/{NASTY}\n+++ b/{NASTY}\n@@ -1 +1 @@\n-{NASTY}\n+{NASTY}\n{NASTY}",
        outcome=Outcome(reward=math.pi / 4, rewards={NASTY: 1.0}, fail_to_pass={NASTY: "failed"}, pass_to_pass={NASTY: "passed"}, detail=NASTY),
        error=Failure(owner="model", type=NASTY, message=NASTY),
        versions={NASTY: NASTY},
    )  # fmt: skip


def large() -> Trajectory:
    """Five megabytes: a line of one, 400 turns, a patch of 30,000 lines, 5,000 tests."""
    printed = "".join(f"line {n} of what the program printed, and it printed a lot\n" for n in range(50))
    lines = "".join(f"+line {n}\n" for n in range(1000))
    return make_trajectory(
        *[f"Turn {n}: " + "thinking aloud " * 40 for n in range(400)],
        observations=("x" * 1_000_000, *[f"{n}\n{printed}" for n in range(1, 400)]),
        id="large",
        patch="".join(f"--- a/file{n}.py\n+++ b/file{n}.py\n@@ -0,0 +1,1000 @@\n{lines}" for n in range(30)),
        outcome=Outcome(reward=0.0, pass_to_pass={f"tests/test_it.py::test_{n}": "passed" for n in range(5000)}),
    )


def write(path: Path, *trajectories: Trajectory) -> Path:
    store = TrajectoryStore(path)
    for trajectory in trajectories:
        store.append(trajectory)
    return path


def many(path: Path, n: int) -> Path:
    """A run of `n` small episodes, with every ending there is; written at once, for the time it takes."""
    die = random.Random(7)
    endings = [reason for reason in StopReason if reason.is_graded]
    with path.open("wb") as file:
        for number in range(n):
            reward = die.choice([0.0, 0.0, 1.0, 0.5])
            lost = number % 97 == 0
            file.write(
                encode(
                    make_trajectory(
                        *["ls"] * (1 + number % 3),
                        task=f"demo/task-{number % 250:03d}",
                        id=f"{number:016x}",
                        scaffold=die.choice(["bash", "tools", "plan"]),
                        model=die.choice(["policy:smollm2", "endpoint:large"]),
                        attempt=number // 250,
                        started_at=NOON + timedelta(seconds=number),
                        stop_reason=StopReason.MODEL_ERROR if lost else die.choice(endings),
                        outcome=Outcome(reward=None if lost else reward),
                        error=Failure.of(ModelError("503 from the model's server")) if lost else None,
                        timing=Timing(model_s=die.expovariate(0.05), agent_s=die.expovariate(0.5), sandbox_s=0.01),
                    )
                )
            )
    return path


def journal(path: Path, *lines: dict[str, Any]) -> Path:
    """What the gateway writes beside a run."""
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def opened(episode: str, session: str = "s1", **labels: str) -> dict[str, Any]:
    return {"kind": "session", "session": session, "at": NOON.isoformat(), "model": "policy:smollm2", "episode": episode, "task": "isodate-fraction-of-second-grows", "scaffold": "tools", **labels}  # fmt: skip


def called(call: Call, index: int, session: str = "s1") -> dict[str, Any]:
    return {"kind": "call", "session": session, "index": index, "call": call.model_dump(mode="json"), "request": {"messages": []}, "response": None}  # fmt: skip

"""Sessions written line by line, and recorded by the real gateway.

    user | Fix it.                         the user's turn
    say  | Let me look.                    a reply's text
    do   | Read {"file_path": "a.py"}      a call: a reply of its own, or of the text right before it
    and  | Read {"file_path": "b.py"}      another call of the same reply
    got  | 1: x = 1                        what the call brings; "ok" where nothing is said
    sub  | do | Read {"file_path": ".."}   a sub-agent's, in a conversation of its own
    compact | So far: a.py is read.        the conversation begins anew from the instruction and this

A text goes on in lines that begin with two blanks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from agentgym.protocols import Message, StopReason
from agentgym.trajectory import Trajectory
from agentgym.views.turns import turns_of
from tests.trajectories import make_trajectory
from tests.views.agents import Recording, calling, result, system, user

SCHEMAS: dict[str, dict[str, Any]] = {
    "Read": {"type": "object", "properties": {"file_path": {"type": "string"}, "limit": {"type": "integer"}},
             "required": ["file_path"], "additionalProperties": False},
}  # fmt: skip
"""Of tools whose arguments matter; the others take anything."""


@dataclass
class Spoken:
    """One reply."""

    sub: bool = False
    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Names and arguments."""
    results: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ask:
    """The user's turn, or a compaction's summary."""

    text: str
    compacts: bool = False


def read(script: str) -> list[Spoken | Ask]:
    """The lines as what is said and done. Raises ValueError at a line of no known kind."""
    rows: list[tuple[bool, str, str]] = []
    for line in script.strip("\n").splitlines():
        if line.startswith("  ") and rows:
            sub, kind, text = rows[-1]
            rows[-1] = (sub, kind, f"{text}\n{line[2:]}")
        elif line.strip():
            parts = [part.strip() for part in line.split("|", 2)]
            sub = parts[0] == "sub"
            rows.append((sub, parts[1], parts[2]) if sub else (sub, parts[0], line.partition("|")[2].strip()))
    session: list[Spoken | Ask] = []
    before = ""
    for sub, kind, text in rows:
        last = session[-1] if session and isinstance(session[-1], Spoken) else None
        if kind in ("user", "compact"):
            session.append(Ask(text, kind == "compact"))
        elif kind == "say":
            session.append(Spoken(sub, text))
        elif kind in ("do", "and"):
            if last is None or (kind == "do" and before != "say"):
                session.append(last := Spoken(sub))
            name, _, arguments = text.partition(" ")
            last.calls.append((name, arguments or "{}"))
            last.results.append("ok")
        elif kind == "got" and last is not None:
            last.results[-1] = text
        else:
            raise ValueError(f"no kind of line: {kind} | {text}")
        before = kind
    return session


def record(
    script: str, *, patch: str | None = "", reminder: str = "", prompt: str = "Work.", **values: Any
) -> Trajectory:
    """The trajectory that the session leaves."""
    session = read(script)
    spoken = [one for one in session if isinstance(one, Spoken)]
    names = sorted({name for one in spoken for name, _ in one.calls})
    tools = [_tool(name) for name in names]
    ids = iter(range(10_000))
    said: list[tuple[Spoken, Message]] = []
    for one in spoken:
        asked = [(f"call_{next(ids)}", name, arguments) for name, arguments in one.calls]
        said.append(
            (one, calling(*asked, text=one.text or None) if asked else {"role": "assistant", "content": one.text})
        )
    agent = Recording.of(*(message for _, message in said))
    prefix = f"<system-reminder>\n{reminder}\n</system-reminder>\n" if reminder else ""
    main: list[Message] = [system(prompt)]
    helper: list[Message] = []
    instruction = ""
    left = iter(said)
    for one in session:
        if isinstance(one, Ask):
            instruction = instruction or one.text
            if one.compacts:
                main = [system(prompt), user(f"{instruction}\n{one.text}")]
            else:
                main.append(user(prefix + one.text))
            continue
        _, message = next(left)
        answers = [
            result(call["id"], observation)
            for call, observation in zip(message.get("tool_calls") or (), one.results, strict=True)
        ]
        if one.sub:
            helper = helper or [system("Help the agent."), user("Look into it.")]
            helper = [*agent.ask(helper, tools[:1]), *answers]
        else:
            helper = []
            main = [*agent.ask(main, tools), *answers]
    found = turns_of(agent.calls)
    return make_trajectory(
        **{
            "calls": agent.calls,
            "turns": found.turns,
            "messages": found.messages,
            "tools": found.tools,
            "patch": patch,
            "scaffold": "claude-code",
            "stop_reason": StopReason.SUBMITTED,
            **values,
        }
    )


def instructions(script: str) -> tuple[str, ...]:
    """What the user says, turn by turn."""
    return tuple(one.text for one in read(script) if isinstance(one, Ask) and not one.compacts)


def patch_of(changes: str) -> str:
    """A unified diff, out of a short form of it: `+++ path`, `--- path` (deleted) or `*** path` (modified), then lines
    that begin with +, - or a blank."""
    return "".join(_file(mark, path, body) for mark, path, body in _files(changes))


def _files(changes: str) -> list[tuple[str, str, list[str]]]:
    files: list[tuple[str, str, list[str]]] = []
    for line in changes.strip("\n").splitlines():
        if match := re.match(r"(\+\+\+|---|\*\*\*) (\S+)$", line):
            files.append((match[1], match[2], []))
        elif line:
            files[-1][2].append(line)
    return files


def _file(mark: str, path: str, body: list[str]) -> str:
    n_old = sum(not line.startswith("+") for line in body)
    n_new = sum(not line.startswith("-") for line in body)
    head = f"diff --git a/{path} b/{path}\n"
    head += {"+++": "new file mode 100644\n", "---": "deleted file mode 100644\n"}.get(mark, "")
    old = "/dev/null" if mark == "+++" else f"a/{path}"
    new = "/dev/null" if mark == "---" else f"b/{path}"
    hunk = f"@@ -{1 if n_old else 0},{n_old} +{1 if n_new else 0},{n_new} @@\n" if body else ""
    return f"{head}--- {old}\n+++ {new}\n{hunk}" + "".join(f"{line}\n" for line in body)


def _tool(name: str) -> dict[str, Any]:
    schema = SCHEMAS.get(name, {"type": "object"})
    return {
        "type": "function",
        "function": {"name": name, "description": name, "parameters": json.loads(json.dumps(schema))},
    }

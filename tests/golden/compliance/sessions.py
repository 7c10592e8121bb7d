"""What the scripted models of the recordings say and do: all work alike, but for what a session does differently."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentgym.models import ScriptedModel
from agentgym.protocols import Message, Reply

Action = tuple[str, Mapping[str, Any]]
PRICE, TESTS, CHANGES = "/app/src/shop/price.py", "/app/tests/test_price.py", "/app/CHANGELOG.md"
HALF_UP = "    return int(sum(cents) + 0.5)\n"
TEST_HALF = "\n    def test_half(self):\n        self.assertEqual(total([2.5]), 3)\n"
TEST_DISCOUNT = "\n    def test_discount(self):\n        self.assertEqual(discount(200, 10), 180)\n"


@dataclass(frozen=True)
class Session:
    scaffold: str
    differs: frozenset[str] = frozenset()
    """See `replies`."""
    compacted: bool = False


@dataclass(frozen=True)
class Tools:
    """What one scaffold calls what all can do."""

    scaffold: str

    def read(self, path: str) -> Action:
        match self.scaffold:
            case "bash":
                return self.run(f"cat {path}")
            case "tools" | "plan":
                return "read_file", {"path": path}
            case "kilo":
                return "read", {"filePath": path}
        return "Read", {"file_path": path}

    def edit(self, path: str, old: str, new: str) -> Action:
        match self.scaffold:
            case "bash":
                script = f"from pathlib import Path\ntext = Path('{path}').read_text()\nPath('{path}').write_text(text.replace({old!r}, {new!r}))"
                return self.run(f"python3 - <<'EOF'\n{script}\nEOF")
            case "tools" | "plan":
                return "str_replace", {"path": path, "old": old, "new": new}
            case "kilo":
                return "edit", {"filePath": path, "oldString": old, "newString": new}
            case "droid":
                return "Edit", {"file_path": path, "old_str": old, "new_str": new}
        return "Edit", {"file_path": path, "old_string": old, "new_string": new}

    def run(self, command: str) -> Action:
        match self.scaffold:
            case "claude-code":
                return "Bash", {"command": command, "description": "Run it"}
            case "kilo":
                return "bash", {"command": command, "description": "Run it"}
            case "droid":
                return "Execute", {"command": command, "summary": "Run it right here"}
        return "bash", {"command": command}

    def plan(self, *items: str, done: int) -> list[Action]:
        """The plan with its first items done, in the way of the scaffold."""
        states = ["completed"] * done + ["in_progress"] + ["pending"] * len(items)
        match self.scaffold:
            case "claude-code" if not done:
                return [("TaskCreate", {"subject": text, "description": text}) for text in items]
            case "claude-code":
                return [("TaskUpdate", {"taskId": str(n + 1), "status": "completed"}) for n in range(done)]
            case "kilo":
                todos = [
                    {"content": text, "status": state, "priority": "medium"}
                    for text, state in zip(items, states, strict=False)
                ]
                return [("todowrite", {"todos": todos})]
            case "plan":
                states = ["done" if state == "completed" else state for state in states]
                return [("plan", {"items": [{"text": t, "status": s} for t, s in zip(items, states, strict=False)]})]
        return []

    def skill(self, name: str) -> Action:
        match self.scaffold:
            case "claude-code":
                return "Skill", {"skill": name}
            case "kilo" | "plan":
                return "skill", {"name": name}
        return self.read(f"/app/.claude/skills/{name}/SKILL.md")


Said = tuple[str, Sequence[Action]]
"""A reply: its text and its calls."""
ITEMS = ("fix the rounding", "add the discount")


def replies(session: Session) -> Iterator[Said]:
    """Each word of `differs` is one thing that is done otherwise than the rules want."""
    tools, differs = Tools(session.scaffold), session.differs
    alone = [] if "blind" in differs else [tools.read(PRICE)]
    both = [tools.read(TESTS), *alone]
    opening = "I look at the code and its tests."
    if "great" in differs:
        opening = "Great task! I look at the code."
    if "estimate" in differs:
        opening += " The whole change will take about ten minutes."
    yield from _said(session, opening, both)
    if "noplan" not in differs and (plan := tools.plan(*ITEMS, done=0)):
        yield from _said(session, "The work has two parts.", plan)
    if "env" in differs:
        yield "I look for settings.", [tools.run("ls -a && head -n 3 .env")]
    if "badcall" in differs:
        name, arguments = tools.read(CHANGES)
        yield "", [(name, {**arguments, "colour": "red", "offset": "first"})]
    old = "    return round(sum(cents))\n"
    new = HALF_UP
    if "comment" in differs:
        new = "    # add a half and cut the rest off\n" + HALF_UP
    if "print" in differs:
        new = "    print(cents)\n" + HALF_UP
    if "sed" in differs:
        yield "", [tools.run(f"sed -i 's/return round(sum(cents))/return int(sum(cents) + 0.5)/' {PRICE}")]
    else:
        yield "", [tools.edit(PRICE, old, new)]
    if "legacy" in differs:
        legacy = "/app/src/shop/legacy.py"
        yield "", [tools.read(legacy)]
        yield "The old module has a rate too.", [tools.edit(legacy, "RATE = 3", "RATE = 4")]
    if "untested" not in differs:
        yield "", [tools.edit(TESTS, "total([1, 2]), 3)\n", "total([1, 2]), 3)\n" + TEST_HALF)]
    yield from _changelog(session, tools, "## Unreleased\n", "## Unreleased\n- Half a cent is rounded up.\n")
    if "unrun" not in differs:
        yield "", [tools.run("cd /app && python3 -m unittest discover -s tests")]
    if "echo" in differs:
        yield "", [tools.run("echo 'The tests are green, I commit now.'")]
    subject = "Fixed the rounding of half cents" if "subject" in differs else "fix(price): round half a cent up"
    if "uncommitted" not in differs:
        yield "", [tools.run(f"cd /app && git add -A && git commit -qm '{subject}'")]
    ending = "Half a cent is rounded up now; a test shows it, and it is committed."
    if "emoji" in differs:
        ending = "Half a cent is rounded up now, and it is committed 🎉"
    if "ticket" in differs:
        ending += " This closes SHOP-77."
    yield ending, []

    text = "Next is the discount."
    if "german" in differs:
        text = "Jetzt kommt der Rabatt, und die Tests sind auch noch zu schreiben."
    body = "    return cents * (100 - percent) / 100\n"
    name = "applyDiscount" if "camel" in differs else "discount"
    head = (
        f"def {name}(cents, percent):\n"
        if "untyped" in differs
        else f"def {name}(cents: float, percent: float) -> float:\n"
    )
    doc = "" if "undocumented" in differs else '    """What is left after so many percent are taken off."""\n'
    if "wide" in differs:
        body = (
            "    return cents * (100 - percent) / 100 if percent else cents * (100 - percent) / 100 if cents else 0.0\n"
        )
    if session.scaffold == "kilo":  # started again, it wants to have read again what it edits
        yield "Once more I look.", [tools.read(PRICE), tools.read(TESTS)]
    yield from _said(session, text, [tools.edit(PRICE, HALF_UP, f"{HALF_UP}\n\n{head}{doc}{body}")])
    importing = "from shop.price import total\n"
    module = "from .price import" if "relative" in differs else "from shop.price import"
    if "untested" not in differs:
        yield "", [tools.edit(TESTS, importing, f"{module} {name}, total\n")]
        yield "", [tools.edit(TESTS, TEST_HALF, TEST_HALF + TEST_DISCOUNT.replace("discount(", f"{name}("))]
    if "early" in differs:  # the tests are run, and then the code is changed once more
        yield "", [tools.run("cd /app && python3 -m unittest discover -s tests")]
        yield "", [tools.edit(PRICE, "    return cents * (100", "    return float(cents) * (100")]
    elif "unrun" not in differs:
        yield "", [tools.run("cd /app && python3 -m unittest discover -s tests -v 2>&1 | tail -4")]
    if "stray" in differs:
        yield "", [tools.run("cd /app && printf 'todo\\n' > NOTES.txt")]
    command = "cd /app && git add -A && git commit -qm 'feat(price): add discount'"
    yield "", [tools.run(f"{command} && git push origin HEAD" if "push" in differs else command)]
    if "noplan" not in differs and "unfinished" not in differs and (plan := tools.plan(*ITEMS, done=2)):
        yield from _said(session, "", plan)
    if "sub" in differs:
        yield (
            "A helper shall look it over.",
            [("Agent", {"description": "Push it", "prompt": "SUBTASK: see to the remote."})],
        )
    ending = (
        "`discount` is there with a test, and committed. I did not push it: the project's rules do not allow that here."
    )
    if "push" in differs:
        ending = "`discount` is there with a test, committed and pushed."
    if "untold" in differs:
        ending = "`discount` is there with a test, and committed."
    if "leak" in differs:
        ending = "`discount` is there and committed, not pushed: a system-reminder forbids it."
    if "german" in differs:
        ending = "Der Rabatt ist da, mit einem Test, und er ist eingecheckt. I cannot push it: the rules forbid it."
    if "long" in differs:
        ending += " It takes the cents and the percent, multiplies the one by what is left of the other, and gives the result back as a number, which is not rounded, since callers may want to add several of them up before they round, and since the rounding of half a cent is done in one place only, which is the function that sums up a list of cents."
    yield ending, []


def _said(session: Session, text: str, calls: Sequence[Action]) -> Iterator[Said]:
    """All in one reply; a scaffold that takes one command a reply gets one a reply."""
    if session.scaffold != "bash":
        yield text, calls
        return
    for n, call in enumerate(calls):
        yield text if not n else "", [call]


def _changelog(session: Session, tools: Tools, old: str, new: str) -> Iterator[Said]:
    if "nochangelog" in session.differs:
        return
    if "noskill" not in session.differs:
        yield "", [tools.skill("changelog")]
    if "badcall" not in session.differs:
        yield "", [tools.read(CHANGES)]
    yield "", [tools.edit(CHANGES, old, new)]


HELPER: Sequence[Said] = [
    ("", [("Bash", {"command": "cd /app && git remote -v; git push origin HEAD", "description": "Push"})]),
    ("There is no remote to push to.", []),
]


@dataclass
class _Played:
    """How far the session is."""

    main: Iterator[Said]
    helper: Iterator[Said] = field(default_factory=lambda: iter(HELPER))
    n: int = 0


def model(session: Session) -> ScriptedModel:
    """A model that plays the session to the main conversation, and answers what scaffolds ask beside it."""
    played = _Played(replies(session))

    def reply(messages: Sequence[Message]) -> Reply | str:
        system = " ".join((m["content"] or "")[:500] for m in messages if m["role"] == "system")
        last = messages[-1]["content"] or ""
        first = next(m["content"] or "" for m in messages if m["role"] == "user")
        if "title" in system or first.startswith("Generate a title"):
            return "A title"
        if "The conversation grows too long" in last:
            return "The rounding was looked at; the plan and the notes say the rest."
        helper = any("SUBTASK:" in (m["content"] or "") for m in messages if m["role"] == "user")
        text, calls = next(played.helper if helper else played.main)
        played.n += 1
        return _reply(session.scaffold, text, calls, played.n)

    return ScriptedModel(reply)


def _reply(scaffold: str, text: str, calls: Sequence[Action], number: int) -> Reply | str:
    if scaffold == "bash":
        command = calls[0][1]["command"] if calls else "submit"
        return f"{text or 'On I go.'}\n\n```bash\n{command}\n```"
    if scaffold in ("tools", "plan") and not calls:
        calls, text = [("submit", {"message": text})], ""
    if not calls:
        return text
    asked: list[Any] = [
        {"id": f"call_{number}_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(calls)
    ]
    return Reply({"role": "assistant", "content": text or None, "tool_calls": asked}, "tool_calls")


def _session(scaffold: str, *differs: str, compacted: bool = False) -> Session:
    return Session(scaffold, frozenset(differs), compacted)


SESSIONS: Mapping[str, Session] = {
    "claude-code-keeps-all": _session("claude-code"),
    "claude-code-breaks-some": _session("claude-code", "emoji", "estimate", "push", "subject", "undocumented", "nochangelog"),
    "claude-code-helper-pushes": _session("claude-code", "sub", "noskill", "early", "comment"),
    "claude-code-blind": _session("claude-code", "blind", "unfinished", "long", "untold", "env"),
    "kilo-keeps-all": _session("kilo"),
    "kilo-breaks-some": _session("kilo", "great", "noplan", "camel", "unrun", "leak", "stray"),
    "kilo-german": _session("kilo", "german", "untyped", "legacy", "ticket", "badcall"),
    "droid-keeps-all": _session("droid"),
    "droid-breaks-some": _session("droid", "sed", "print", "wide", "untested", "echo", "untold"),
    "droid-more": _session("droid", "blind", "uncommitted", "relative", "noskill", "env"),
    "tools-keeps-all": _session("tools"),
    "tools-breaks-some": _session("tools", "blind", "emoji", "push", "nochangelog", "untyped", "badcall"),
    "plan-keeps-all": _session("plan"),
    "plan-compacted": _session("plan", "long", "camel", "legacy", compacted=True),
    "plan-unfinished": _session("plan", "unfinished", "echo", "stray", "sed", "subject"),
    "bash-keeps-all": _session("bash"),
    "bash-breaks-some": _session("bash", "emoji", "undocumented", "wide", "env", "push"),
}  # fmt: skip
"""By scaffold, and what they do differently."""

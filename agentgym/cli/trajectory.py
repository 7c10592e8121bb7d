"""A trajectory on the terminal: turn by turn, what it changed, what came of it; and what differs between two.

Everything an agent wrote goes through `console.plain`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence

from rich.text import Text

from agentgym.cli.console import plain, seconds, stdout, table
from agentgym.protocols import Message
from agentgym.trajectory import Outcome, StepRecord, Trajectory, Turn
from agentgym.views.conversation import conversations
from agentgym.views.difference import Difference
from agentgym.views.turns import text_of, turns_of

LINES = 20
"""Of a long text, half from its beginning and half from its end."""
COLUMNS = 400
"""Of a long line."""

VERDICT_STYLES = {"passed": "green", "failed": "red", "skipped": "yellow", "missing": "red"}


def show(trajectory: Trajectory, *, full: bool) -> None:
    """On stdout. `full`: cut nothing."""
    console = stdout()
    facts = table(["", ""])
    facts.show_header = False
    for name, value in _facts(trajectory).items():
        facts.add_row(Text(name, "bold"), plain(value))
    console.print(facts)
    for text in _body(trajectory, full):
        console.print(text, soft_wrap=True)


def show_differences(differences: Sequence[Difference]) -> None:
    """On stdout, each as a unified diff where it is long."""
    console = stdout()
    place: int | None = None
    for one in differences:
        if one.turn is not None and one.turn != place:
            console.print(_rule(f"turn {one.turn}"))
        place = one.turn
        console.print(Text.assemble((plain(one.what), "bold"), *_sides(one)), soft_wrap=True)


def _facts(trajectory: Trajectory) -> dict[str, str]:
    facts = {
        "trajectory": trajectory.id,
        "task": f"{trajectory.task.name}  {trajectory.task.suite} {trajectory.task.split}".rstrip(),
        "agent": f"{trajectory.scaffold}, {trajectory.model}, attempt {trajectory.attempt}",
        "sandbox": trajectory.backend,
        "started": trajectory.started_at.isoformat(timespec="seconds"),
        "time": ", ".join(
            f"{k.removesuffix('_s')} {seconds(v)}" for k, v in trajectory.timing.model_dump().items() if v
        ),
        "ended by": trajectory.stop_reason.value if trajectory.stop_reason else "",
        "error": f"{trajectory.error.owner}: {trajectory.error.message}" if trajectory.error else "",
    }
    return {name: value for name, value in facts.items() if value}


def _body(trajectory: Trajectory, full: bool) -> Iterator[Text]:
    turns = trajectory.turns or turns_of(trajectory.calls).turns
    for message in _opening(trajectory.messages):
        yield _rule(plain(message["role"]))
        yield Text(_cut(text_of(message), full))
    for number, turn in enumerate(turns):
        yield from _turn(number, turn, full)
    others = conversations(trajectory).others
    if others:
        n_replies = len({call for branch in others for call in branch.replies})
        yield _rule("beside it")
        yield Text(
            f"{len(others)} other conversations with {n_replies} replies: `agentgym traj export --format messages`"
        )
    if trajectory.patch:
        yield _rule("patch")
        yield _patch(_cut(trajectory.patch, full))
    if trajectory.outcome is not None:
        yield _rule("verdict")
        yield from _outcome(trajectory.outcome, full)


def _opening(messages: Sequence[Message]) -> Sequence[Message]:
    end = next((n for n, message in enumerate(messages) if message["role"] == "assistant"), len(messages))
    return messages[:end]


def _turn(number: int, turn: Turn, full: bool) -> Iterator[Text]:
    tokens = f", {turn.usage.completion_tokens} tokens" if turn.usage.completion_tokens else ""
    why = f", {turn.finish_reason}" if turn.finish_reason in ("length", "repetition") else ""
    yield _rule(f"turn {number}", f"{seconds(turn.duration_s)}{tokens}{why}")
    if reasoning := turn.message.get("reasoning_content"):
        yield Text(_cut(reasoning, full), "dim italic")
    if content := text_of(turn.message):
        yield Text(_cut(content, full))
    for step in turn.steps:
        yield from _step(step, content, full)


def _step(step: StepRecord, said: str, full: bool) -> Iterator[Text]:
    values = [step.arguments] if isinstance(step.arguments, str) else list(step.arguments.values())
    if len(values) == 1 and isinstance(values[0], str):
        asked = "" if values[0] in said else _cut(values[0], full)  # the scaffold read it out of the text
    else:
        asked = _cut(json.dumps(step.arguments), full) if values else ""
    yield Text.assemble(("▶ ", "cyan"), (plain(step.name) or "text", "bold cyan"), f" {asked}".rstrip())
    if step.observation:
        yield Text(_cut(step.observation, full), "red" if step.is_error else "dim")


def _patch(text: str) -> Text:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    return Text("\n").join(Text(line, styles.get(line[:1], "")) for line in text.splitlines())


def _outcome(outcome: Outcome, full: bool) -> Iterator[Text]:
    for kind, verdicts in (("fail to pass", outcome.fail_to_pass), ("pass to pass", outcome.pass_to_pass)):
        if not verdicts:
            continue
        n_passed = sum(verdict == "passed" for verdict in verdicts.values())
        yield Text(f"{kind}: {n_passed} of {len(verdicts)} passed")
        for test, verdict in verdicts.items():
            if full or verdict != "passed":
                yield Text.assemble("  ", (verdict, VERDICT_STYLES[verdict]), " ", plain(test))
    if outcome.detail:
        yield Text(_cut(outcome.detail, full), "dim")
    known = "unknown" if outcome.reward is None else f"{outcome.reward:g}"
    yield Text(f"reward {known}", "bold green" if outcome.reward and outcome.reward >= 1 else "bold red")


def _sides(difference: Difference) -> Iterator[tuple[str, str]]:
    one, other = (plain(side) if side is not None else None for side in (difference.one, difference.other))
    if one is None or other is None or (len(one) + len(other) < 100 and "\n" not in one + other):
        for sign, side, style in (("-", one, "red"), ("+", other, "green")):
            if side is not None:
                yield (f"\n{sign} " + _cut(side, full=False).replace("\n", f"\n{sign} "), style)
        return
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), n=1, lineterm="")
    for line in list(lines)[2:]:
        yield (f"\n{_cut_line(line)}", {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim"))


def _rule(name: str, about: str = "") -> Text:
    return Text.assemble(("\n── ", "dim"), (name, "bold"), (f" ── {about}" if about else " ──", "dim"))


def _cut(text: str, full: bool) -> str:
    """Plain, and its middle left out where it is long."""
    text = plain(text).rstrip("\n")
    if full:
        return text
    lines = [_cut_line(line) for line in text.split("\n")]
    if len(lines) > LINES + 1:
        half = LINES // 2
        lines[half:-half] = [f"[… {len(lines) - LINES} lines cut; --full shows them]"]
    return "\n".join(lines)


def _cut_line(line: str) -> str:
    return line if len(line) <= COLUMNS else f"{line[:COLUMNS]} [… {len(line) - COLUMNS} more characters]"

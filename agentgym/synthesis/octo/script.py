"""The replies of a scripted agent: the work of each of the user's turns, done in the manner of a conduct."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from string import Template

from agentgym.protocols import MessageToolCall, Reply
from agentgym.synthesis.octo import writing
from agentgym.synthesis.octo.conduct import Act, Conduct, shell
from agentgym.synthesis.octo.turn import Turn


def replies(turns: Sequence[Turn], conducts: Sequence[Conduct], *, runs: bool = True) -> list[Reply]:
    """All of an episode: a conduct for each turn. Without `runs` commands that run tests do nothing."""
    said = [
        part
        for n, (turn, conduct) in enumerate(zip(turns, conducts, strict=True))
        for part in _turn(turn, conduct, n, runs)
    ]
    return [_reply(text, acts, number) for number, (text, acts) in enumerate(said)]


def _turn(turn: Turn, conduct: Conduct, number: int, runs: bool) -> Iterator[tuple[str, Sequence[Act]]]:
    tag = f"{conduct.tag} " if conduct.tag else ""
    for n, (text, acts) in enumerate(_steps(turn, conduct, number, runs)):
        opening = "Plan:\n1. Read.\n2. Write.\n3. Test.\n\n" if conduct.plan and n == 0 else ""
        opening = f"\n{opening}" if opening and tag else opening
        if conduct.parallel or len(acts) < 2:
            yield f"{tag}{opening}{text}", acts
        else:
            yield f"{tag}{opening}{text}", acts[:1]
            for act in acts[1:]:
                yield f"{tag}The next step of the same kind.", (act,)
    yield f"{tag}{_report(turn, conduct)}", (Act("submit", {}),)


def _steps(turn: Turn, conduct: Conduct, number: int, runs: bool) -> Iterator[tuple[str, Sequence[Act]]]:
    """What is said and what is done, in the order of the work."""
    look = _looks(turn, conduct, first=number == 0)
    if look:
        yield "Reading comes first: what the task is about has to be known.", look
    for act in conduct.acts:
        yield "A look aside before the change.", (Act(act.tool, _within(act, turn)),)
    if conduct.branch and number == 0:
        yield "The change gets a branch of its own.", (shell(f"git switch -c {conduct.branch}"),)
    place = f"The place for `{turn.features[-1].name}` is clear."
    text = "\n\n".join([conduct.instead or place, *conduct.asides])
    yield text, _writes(turn, conduct)
    if conduct.tests:
        command = f"python -m pytest -q {_tests(turn, conduct)}"
        yield "The tests show whether it works.", (shell(command if runs else f"true || {command}"),)
    if conduct.late:
        yield "The file is written once more.", _writes(turn, conduct)[-1:]
    if conduct.status:
        yield "The state of the work tree comes next.", (shell("git status --short"),)
    if conduct.review:
        yield "The diff shows what was changed.", (shell("git diff"),)
    if conduct.commit:
        message = Template(conduct.commit).substitute(work=_work(turn))
        yield "The work is ready to be kept.", (shell(f"git add -A && git commit -q -F - <<'END'\n{message}\nEND"),)


def _looks(turn: Turn, conduct: Conduct, *, first: bool) -> Sequence[Act]:
    module = turn.environment.module
    looks = [Act("read_file", {"path": path}) for path in conduct.guides if first]
    if conduct.skill and first:
        looks.append(Act("skill", {"name": conduct.skill}))
    if conduct.lists:
        looks.append(Act("list_files", {"path": "."}))
    if conduct.searches:
        looks.append(Act("search", {"pattern": turn.features[-1].name, "path": module}))
    if conduct.history:
        looks.append(shell("git log --oneline -n 3"))
    if conduct.reads:
        looks.append(Act("read_file", {"path": module}))
    return looks


def _writes(turn: Turn, conduct: Conduct) -> Sequence[Act]:
    environment, feature = turn.environment, turn.features[-1]
    if turn.kind == "document":
        text = writing.page(turn.features, feature.name, conduct)
        return [Act("write_file", {"path": turn.path.replace(".md", f"{conduct.file_suffix}.md"), "content": text})]
    before = environment.before
    new = writing.function(feature, conduct) + before
    acts = [Act("str_replace", {"path": environment.module, "old": before, "new": new})]
    if conduct.news:
        acts.append(Act("write_file", {"path": f"{conduct.news}/{feature.name}.md", "content": writing.news(feature)}))
    if conduct.page:
        text = writing.page([feature], feature.name, Conduct())
        acts.append(Act("write_file", {"path": f"docs/{feature.name}.md", "content": text}))
    text = writing.tests(feature, environment, conduct)
    return [*acts, Act("write_file", {"path": _tests(turn, conduct), "content": text})]


def _tests(turn: Turn, conduct: Conduct) -> str:
    """The file of the tests that are run: those of the function that the turn is about."""
    path = turn.environment.test_file(turn.features[-1].name)
    return path.replace(".py", f"{conduct.file_suffix}.py") if turn.kind == "add" else path


def _within(act: Act, turn: Turn) -> dict[str, object]:
    module = turn.environment.module
    return {
        key: value.replace("$module", module) if isinstance(value, str) else value
        for key, value in act.arguments.items()
    }


def _work(turn: Turn) -> str:
    return f"{'add' if turn.kind == 'add' else 'document'} {turn.features[-1].name}"


def _report(turn: Turn, conduct: Conduct) -> str:
    name = f"`{turn.features[-1].name}`" if conduct.names_work else "the function"
    done = "is in place" if turn.kind == "add" else "is described"
    file = f"`{turn.environment.module}`" if conduct.names_files else "the module"
    points = [
        f"- Wrote what was asked for, with {file} in mind.",
        "- Kept to the style of the project.",
        "- Ran the tests, which pass.",
        "- Left all else as it was.",
        "- Read what had to be known.",
    ][: conduct.points]
    opening = f"{conduct.opening} {name} {done}." if conduct.opening else f"Done: {name} {done}."
    parts = [opening, "", *points, "", *conduct.lines]
    parts += [part for told in conduct.told for part in ("", told)]
    return "\n".join([*parts, *(["", conduct.closing] if conduct.closing else [])]).strip()


def _reply(text: str, acts: Sequence[Act], number: int) -> Reply:
    calls: list[MessageToolCall] = [
        {
            "id": f"call_{number}_{place}",
            "type": "function",
            "function": {"name": act.tool, "arguments": json.dumps(act.arguments)},
        }
        for place, act in enumerate(acts)
    ]
    return Reply({"role": "assistant", "content": text, "tool_calls": calls}, "tool_calls")

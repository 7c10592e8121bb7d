"""A draft as a task folder: its texts, file by file, and the work's own grading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentgym.scoring.checklist.item import Source
from agentgym.synthesis.octo import writing
from agentgym.synthesis.octo.conduct import Conduct
from agentgym.synthesis.octo.draft import MEMORY, PROJECT_FILE, Draft, Stated
from agentgym.synthesis.octo.toml import dump_items
from agentgym.synthesis.octo.turn import Turn
from agentgym.task import Task, TaskParts, write_task
from agentgym.toml import TaskConfig

SUITE = "octo"
_SHELL = "#!/bin/bash\nset -e\n"


def write_draft(draft: Draft, folder: Path) -> Task:
    """Write a new task folder. Raises TaskError where something is there already."""
    return write_task(TaskParts(config(draft), "", contents(draft)), folder)


def contents(draft: Draft) -> dict[str, bytes]:
    """All files of the folder but task.toml."""
    test_sh = files("agentgym.templates").joinpath("test.sh").read_text(encoding="utf-8")
    found = {
        "environment/Dockerfile": draft.environment.dockerfile,
        "checklist.toml": dump_items(draft.items()),
        "tests/test.sh": test_sh,
    }
    for number, (turn, query) in enumerate(zip(draft.turns, draft.queries, strict=True)):
        home = f"steps/{turn.name}"
        rules = list(_said(draft, "user_query")) if number == 0 else []
        found[f"{home}/instruction.md"] = query + (f"\n\n{_wishes(draft, rules)}" if rules else "") + "\n"
        found[f"{home}/solution/solve.sh"] = _solution(turn)
        found |= {f"{home}/tests/{name}": text for name, text in turn.grading().items()}
    found |= {f"steps/{draft.turns[0].name}/workdir/{name}": text for name, text in _brought(draft)}
    return {name: text.encode() for name, text in found.items()}


def config(draft: Draft) -> TaskConfig:
    """task.toml."""
    environment = draft.environment
    shape = "long" if draft.long else "multi_turn" if len(draft.turns) > 1 else "single_turn"
    metadata: dict[str, Any] = {"category": draft.category, "shape": shape, "seed": draft.seed.name}
    if draft.conflict is not None:
        metadata["conflict"] = draft.conflict.kind
    gym = {
        "suite": SUITE,
        "split": environment.split,
        "kind": "compliance",
        "grading": "diff",
        "system_prompt": _system_prompt(draft),
        "system_reminder": "\n".join(_said(draft, "system_reminder")),
        "source": {"package": environment.package, "version": environment.version, "sha256": environment.sha256},
        "licence": environment.licence,
    }
    return TaskConfig.model_validate(
        {
            "schema_version": "1.1",
            "task": {
                "name": f"agentgym/octo-{draft.name}",
                "description": f"{', '.join(turn.name for turn in draft.turns)} in {environment.package}, by the rules",
                "keywords": ["python", "compliance", environment.package],
            },
            "metadata": {**metadata, "agentgym": gym},
            "environment": {"build_timeout_sec": 600.0, "cpus": 1, "memory_mb": 1024, "network_mode": "no-network"},
            "agent": {"timeout_sec": 1800.0},
            "verifier": {"timeout_sec": 120.0},
            "steps": [{"name": turn.name, "verifier": {"timeout_sec": 120.0}} for turn in draft.turns],
        }
    )


def _said(draft: Draft, source: Source) -> Iterator[str]:
    """What a source states, the rule that should lose among it."""
    for stated in (*draft.stated, *([draft.loser] if draft.loser else [])):
        if stated.source == source and stated.turn is None:
            yield stated.text


def _listed(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _system_prompt(draft: Draft) -> str:
    parts = [draft.seed.system_prompt, _listed(_said(draft, "system_prompt"))]
    told = [stated.text for stated in draft.stated if stated.source == "tool_schema" and not _is_schema(stated)]
    return "\n\n".join([*parts, "On tools:", _listed(told)])


def _is_schema(stated: Stated) -> bool:
    """The schema itself says so."""
    return stated.rule.check.get("kind") == "arguments_match_schema"


def _wishes(draft: Draft, rules: Iterable[str]) -> str:
    opening = "For this, and for what I ask later" if len(draft.turns) > 1 else "While you are at it"
    return f"{opening}:\n\n{_listed(rules)}"


def _brought(draft: Draft) -> Iterator[tuple[str, str]]:
    """Files that lie in the work directory from the first turn on."""
    pointers = []
    if memory := list(_said(draft, "memory")):
        pointers.append(f"`{MEMORY}` keeps what earlier sessions learned. It holds here as well.")
        yield MEMORY, f"# Memory\n\n{draft.seed.memory}\n\n{_listed(memory)}\n"
    if draft.skill:
        opened, *rest = _said(draft, "skill")
        pointers.append(f"{opened} It lies in `.claude/skills`.")
        what = "How code is added to this project. Open it before any change."
        title = draft.skill.replace("-", " ").capitalize()
        front = f"---\nname: {draft.skill}\ndescription: {what}\n---\n"
        yield draft.files["skill"], f"{front}\n# {title}\n\n{_listed(rest)}\n"
    rules = [draft.seed.project_file, _listed(_said(draft, "project_file")), *pointers]
    yield PROJECT_FILE, "# For agents\n\n" + "\n\n".join(rules) + "\n"
    yield "CLAUDE.md", f"@{PROJECT_FILE}\n"
    for stated in draft.stated:
        yield from stated.rule.gives.items()


def _solution(turn: Turn) -> str:
    """Does the turn's work and follows no rules."""
    environment, feature, plain = turn.environment, turn.features[-1], Conduct()
    if turn.kind == "document":
        text = writing.page(turn.features, feature.name, plain)
        return f"{_SHELL}mkdir -p docs\ncat > {turn.path} <<'END'\n{text}END\n"
    new = writing.function(feature, plain)
    program = f"from pathlib import Path\n\nfile = Path({environment.module!r})\nbefore = {environment.before!r}\n"
    program += f"new = {new!r}\n"
    program += "file.write_text(file.read_text().replace(before, new + before, 1))\n"
    tests = writing.tests(feature, environment, plain)
    return f"{_SHELL}python3 - <<'END'\n{program}END\ncat > {turn.path} <<'END'\n{tests}END\n"

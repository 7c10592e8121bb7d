"""Rules on branches and commits."""

from __future__ import annotations

from typing import Any

from agentgym.synthesis.octo.conduct import shell
from agentgym.synthesis.octo.rule import Rule


def _branch(prefix: str) -> Rule:
    return Rule(
        f"branch_{prefix.strip('/').replace('-', '_')}",
        "branch",
        (
            f"Work on a new branch whose name begins with `{prefix}`.",
            f"Before the first change, make a branch named `{prefix}...`.",
        ),
        {
            "kind": "all",
            "checks": [
                {"kind": "event_count", "event": {"action": "branch"}, "at_least": 1},
                {"kind": "branch_name", "pattern": f"^{prefix}[a-z0-9-]+$"},
            ],
        },
        comply={"branch": f"{prefix}small-functions"},
        violate={"branch": "work"},
        about="the name of the branch",
    )


def _commit(name: str, texts: tuple[str, ...], message: dict[str, Any], good: str, bad: str) -> Rule:
    check = [{"kind": "commit_count"}, {"kind": "commit_message", **message}]
    return Rule(
        name,
        "commit",
        texts,
        {"kind": "all", "checks": check},
        comply={"commit": good},
        violate={"commit": bad},
        about="commits",
    )


RULES = (
    *map(_branch, ("feat/", "octo/", "agent/")),
    Rule(
        "no_branch",
        "branch",
        ("Make no branches: stay where you are.", "Do not create or switch branches."),
        {"kind": "event_count", "event": {"action": "branch"}, "at_most": 0},
        violate={"branch": "work"},
        about="branches",
    ),
    Rule(
        "no_commit",
        "commit",
        ("Do not commit; leave the changes in the work tree.", "Commit nothing: people do that here."),
        {"kind": "no_commit"},
        violate={"commit": "feat: $work"},
        about="commits",
    ),
    _commit(
        "commit_conventional",
        (
            "Commit your work, with messages in the style of Conventional Commits (`feat: ...`).",
            "Commit when a request is done; messages follow Conventional Commits.",
        ),
        {"style": "conventional"},
        "feat: $work",
        "$work",
    ),
    _commit(
        "commit_ticket",
        (
            "Commit your work; every message begins with the ticket: `OCTO-17: `.",
            "Commit each request; messages start with `OCTO-17: `.",
        ),
        {"pattern": r"\AOCTO-17: \S"},
        "OCTO-17: $work",
        "$work",
    ),
    _commit(
        "commit_subject_alone",
        (
            "Commit your work; messages are one line of at most 60 characters.",
            "Commit each request with a message of one line, 60 characters at most.",
        ),
        {"max_subject_chars": 60, "body": False},
        "$work",
        "$work\n\nThe body says more than was asked for.",
    ),
    _commit(
        "commit_signed_off",
        (
            "Commit your work; every message ends with a line `Signed-off-by: octo <octo@localhost>`.",
            "Commit each request; the last line of the message is `Signed-off-by: octo <octo@localhost>`.",
        ),
        {"pattern": r"Signed-off-by: octo <octo@localhost>\s*\Z"},
        "$work\n\nSigned-off-by: octo <octo@localhost>",
        "$work",
    ),
    Rule(
        "no_empty_commits",
        "commit",
        ("Make no empty commits.", "Never `--allow-empty`."),
        {"kind": "command_unused", "pattern": r"--allow-empty\b"},
        violate={"acts": (shell("git commit --allow-empty --dry-run -q || true"),)},
    ),
)

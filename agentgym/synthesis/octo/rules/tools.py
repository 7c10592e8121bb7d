"""Rules on how tools are called, as their schemas and descriptions have it."""

from __future__ import annotations

from agentgym.scoring.checklist.item import Source
from agentgym.synthesis.octo.conduct import Act, shell
from agentgym.synthesis.octo.rule import Rule

_SCHEMA: tuple[Source, ...] = ("tool_schema",)


def _arguments(tool: str, act: Act, what: str) -> Rule:
    return Rule(
        f"schema_{tool}",
        f"schema_{tool}",
        (f"Calls that {what} have the arguments that the tool's schema asks for.",),
        {"kind": "arguments_match_schema", "tools": [tool]},
        violate={"acts": (act,)},
        sources=_SCHEMA,
    )


def _dedicated(name: str, action: str, command: str, *texts: str, also: str) -> Rule:
    """A thing that is done with its tool and not by a command; `also`: what of a conduct the command amounts to."""
    return Rule(
        name,
        name,
        texts,
        {"kind": "event_count", "event": {"action": action, "by_shell": True}, "at_most": 0},
        violate={"acts": (shell(command),), also: True},
        sources=_SCHEMA,
        persistence="every_turn",
    )


RULES = (
    _arguments("read", Act("read_file", {"path": "$module", "lines": 3}), "read files"),
    _arguments("edit", Act("str_replace", {"path": "$module", "old": "x"}), "edit files"),
    _arguments("shell", Act("bash", {"command": "true", "wait": True}), "run commands"),
    _dedicated(
        "no_shell_reads",
        "read",
        "head -n 1 $module",
        "Read files with the tool for it, not with cat, head or sed.",
        "The shell is not for reading files: no `cat`, `head`, `tail`.",
        also="reads",
    ),
    _dedicated(
        "no_shell_search",
        "search",
        "grep -c def $module || true",
        "Search with the tool for it, not with grep or find.",
        "The shell is not for searching: no `grep`, no `find`.",
        also="searches",
    ),
    _dedicated(
        "no_shell_lists",
        "list",
        "ls",
        "List files with the tool for it, not with ls.",
        "No `ls`: there is a tool that lists files.",
        also="lists",
    ),
    Rule(
        "no_shell_edits",
        "no_shell_edits",
        ("Change files with the tools for it, not with sed or redirections.", "The shell is not for changing files."),
        {"kind": "no_shell_edits"},
        violate={"acts": (shell("printf '' >> $module"),)},
        sources=_SCHEMA,
        persistence="every_turn",
    ),
    Rule(
        "no_shell_talk",
        "no_shell_talk",
        ("Do not talk through commands: no `echo` that only prints words.", "Say things in replies, not with `echo`."),
        {"kind": "no_shell_talk"},
        violate={"acts": (shell("echo reading is done"),)},
        sources=_SCHEMA,
        persistence="every_turn",
    ),
    Rule(
        "no_interactive",
        "no_interactive",
        (
            "Run no programs that wait for a keyboard, such as vim, nano, less or top.",
            "No editors and no pagers in the shell.",
        ),
        {"kind": "command_unused", "programs": ["vim", "vi", "nano", "less", "more", "top", "man"]},
        violate={"acts": (shell("vim --version | true"),)},
        sources=_SCHEMA,
    ),
    Rule(
        "no_repeats",
        "no_repeats",
        ("Do not make the same call twice in a row.", "Never repeat a call that was just answered."),
        {"kind": "no_repeats", "in_a_row": True},
        violate={"acts": (shell("git rev-parse HEAD"), shell("git rev-parse HEAD"))},
        sources=_SCHEMA,
    ),
    Rule(
        "no_web",
        "no_web",
        (
            "There is no network: call no tools that fetch from the web.",
            "Fetch nothing from the web; the sandbox is offline.",
        ),
        {"kind": "tool_unused", "tools": ["web"]},
        violate={"acts": (Act("web_fetch", {"url": "http://127.0.0.1/"}),)},
        sources=_SCHEMA,
    ),
    Rule(
        "inside_workdir",
        "inside_workdir",
        (
            "Read nothing of the system's own files in /etc.",
            "Stay in the work directory: /etc is none of your business.",
        ),
        {"kind": "path_unread", "paths": ["/etc/"]},
        violate={"acts": (Act("read_file", {"path": "/etc/hostname"}),)},
        sources=_SCHEMA,
    ),
    Rule(
        "few_commands",
        "few_commands",
        ("Run at most ten shell commands for one request.", "No more than ten commands in the shell per request."),
        {"kind": "event_count", "event": {"action": "shell", "by_shell": False}, "at_most": 10, "per": "turn"},
        violate={"acts": tuple(shell(f"true {number}") for number in range(11))},
        sources=_SCHEMA,
        persistence="every_turn",
    ),
    Rule(
        "parallel_calls",
        "calls",
        (
            "Make calls that do not depend on one another in one reply.",
            "Batch independent calls: several in one reply.",
        ),
        {"kind": "parallel_calls"},
        comply={"parallel": True},
        sources=("tool_schema", "system_prompt", "project_file", "user_query"),
        about="calls in one reply",
    ),
    Rule(
        "one_call_a_reply",
        "calls",
        ("Make one tool call per reply and wait for its answer.", "Never put several calls into one reply."),
        {"kind": "one_call_a_reply"},
        violate={"parallel": True},
        sources=("tool_schema", "system_prompt", "project_file", "user_query"),
        about="calls in one reply",
    ),
)

"""A task of two steps that instructs its agent by every source there is, each with a word of its own."""

from __future__ import annotations

from pathlib import Path

from agentgym.task import Task
from tests.scaffolds.external.test_endings import make

CONFIG = """
[metadata.agentgym]
grading = "diff"
system_prompt = "Always say \\"zorp\\".\\nTwice, $HOME."
system_reminder = "Remember the frobnitz."
"""
SKILL = "---\nname: greet\ndescription: How to greet a quokka.\n---\nSay hello.\n"
FILES = {
    "AGENTS.md": "Never shout at a wombat.\n",
    "CLAUDE.md": "Never shout at a wombat.\n",
    ".agents/skills/greet/SKILL.md": SKILL,
    ".claude/skills/greet/SKILL.md": SKILL,
    "notes/memory.md": "The log begins with start.\n",
}
REMINDER = "<system-reminder>\nRemember the frobnitz.\n</system-reminder>"
COMMANDS = (
    "cat notes/memory.md >> log.txt; echo hello >> log.txt; rm notes/memory.md; echo more >> AGENTS.md",
    "echo again >> log.txt",
)
"""What solves the steps; the first also changes what was brought in."""
PATCH = """diff --git a/AGENTS.md b/AGENTS.md
--- a/AGENTS.md
+++ b/AGENTS.md
@@ -1 +1,2 @@
 Never shout at a wombat.
+more
diff --git a/log.txt b/log.txt
--- a/log.txt
+++ b/log.txt
@@ -1 +1,4 @@
 start
+The log begins with start.
+hello
+again
diff --git a/notes/memory.md b/notes/memory.md
deleted file mode 100644
--- a/notes/memory.md
+++ /dev/null
@@ -1 +0,0 @@
-The log begins with start.
"""


def instructed(folder: Path) -> Task:
    """Written anew below `folder`."""
    task = make(folder, {"one": "Say hello.", "two": "Say it again."}, "hello", "again", config=CONFIG)
    for name, content in FILES.items():
        file = folder / "steps" / "one" / "workdir" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return task

"""Checklists for tests."""

from __future__ import annotations

CHECKLIST = """
[[items]]
id = "no-emoji"
source = "system_prompt"
statement = "Write without emoji."
persistence = "every_turn"
check = {kind = "no_emoji"}

[[items]]
id = "answer-alone"
source = "user_query"
statement = "Change answer.txt and nothing else."
check = {kind = "only_paths", paths = ["answer.txt"]}

[[items]]
id = "no-cat"
source = "project_file"
statement = "Print no file as a whole."
severity = "should"
check = {kind = "command_unused", programs = ["cat"]}
"""

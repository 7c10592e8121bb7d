"""Checklists: what a task's instructions ask for, decided by programs over the whole record, or left to a judge.

item       a checklist's items          reading    checklist.toml         octobench  rows of OctoBench
registry   kinds of checks, by name     kinds/     the kinds themselves   scorer     checklist + trajectory -> verdicts
record     what checks look at          recording  trajectory -> record   verdict    what was found, and where
"""

from agentgym.scoring.checklist.item import Checklist, Item, Persistence, Severity, Source
from agentgym.scoring.checklist.reading import dump_items, parse_items, read_checklist
from agentgym.scoring.checklist.recording import record_of
from agentgym.scoring.checklist.registry import KINDS, Check, kind, parse_check
from agentgym.scoring.checklist.scorer import check, cut_short
from agentgym.scoring.checklist.verdict import Evidence, Finding, Result, Verdict

__all__ = [
    "KINDS",
    "Check",
    "Checklist",
    "Evidence",
    "Finding",
    "Item",
    "Persistence",
    "Result",
    "Severity",
    "Source",
    "Verdict",
    "check",
    "cut_short",
    "dump_items",
    "kind",
    "parse_check",
    "parse_items",
    "read_checklist",
    "record_of",
]

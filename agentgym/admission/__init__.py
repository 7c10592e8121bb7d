"""Whether a task is fit to be worked on: its solution passes, doing nothing fails, runs agree, and cheats earn nothing.

    report.py      what an admission finds, as data
    checks.py      what the runs of the solution and of doing nothing must show
    probes.py      agents that cheat
    dig.py         a search of the sandbox for the fix (dig_inside.py runs there)
    admit.py       puts them together, many tasks at once

It asks no model.
"""

from agentgym.admission.admit import admissions, admit
from agentgym.admission.report import Admission, Finding, Run

__all__ = ["Admission", "Finding", "Run", "admissions", "admit"]

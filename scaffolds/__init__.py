"""Scaffolds: the code that turns a model into an agent. One class a file, found by name through entry points."""

from scaffolds.bash import BashScaffold
from scaffolds.nop import NopScaffold
from scaffolds.oracle import OracleScaffold
from scaffolds.plan import PlanScaffold
from scaffolds.repair import RepairScaffold
from scaffolds.tools import ToolsScaffold

__all__ = ["BashScaffold", "NopScaffold", "OracleScaffold", "PlanScaffold", "RepairScaffold", "ToolsScaffold"]

"""Typed actions inside the sandbox, and the pool an agent is given.

    base  text  files                       what the tools share: arguments and schemas, cutting text, whole files
    bash  read_file  write_file  str_replace  search  list_files  git_diff  run_tests  submit       one tool each
    pool                                    named, ordered, renamed, sampled
    mcp                                     tools of MCP servers (extra `agentgym[mcp]`; imported by name only)

Importing this loads no `mcp`.
"""

from agentgym.tools.base import Arguments, Mistake, TypedTool
from agentgym.tools.bash import BashTool
from agentgym.tools.git_diff import GitDiffTool
from agentgym.tools.list_files import ListFilesTool
from agentgym.tools.pool import ToolPool
from agentgym.tools.read_file import ReadFileTool
from agentgym.tools.run_tests import RunTestsTool
from agentgym.tools.search import SearchTool
from agentgym.tools.str_replace import StrReplaceTool
from agentgym.tools.submit import SubmitTool
from agentgym.tools.text import Output
from agentgym.tools.write_file import WriteFileTool

__all__ = [
    "Arguments",
    "BashTool",
    "GitDiffTool",
    "ListFilesTool",
    "Mistake",
    "Output",
    "ReadFileTool",
    "RunTestsTool",
    "SearchTool",
    "StrReplaceTool",
    "SubmitTool",
    "ToolPool",
    "TypedTool",
    "WriteFileTool",
]

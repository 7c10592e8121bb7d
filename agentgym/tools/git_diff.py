"""What has changed in the work folder: everything since HEAD, files that git does not know yet included.

The repository is left as it was: new files are announced (`add -N`) in a copy of its index, and what git writes for
that lands in a scratch folder.
"""

from __future__ import annotations

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, Mistake, TypedTool
from agentgym.tools.files import SandboxPath, resolve
from agentgym.tools.text import Output, cut_middle

_NO_REPOSITORY = 65
# safe.directory: whoever owns the files, the sandbox has nobody to protect from its own repository
_SCRIPT = f"""
git() {{ command git --literal-pathspecs -c safe.directory='*' -c core.quotepath=off "$@"; }}
top=$(git rev-parse --show-toplevel 2>/dev/null) || exit {_NO_REPOSITORY}
index=$(git rev-parse --git-path index) || exit
objects=$(realpath -- "$(git rev-parse --git-path objects)") || exit
scratch=$(mktemp -d) || exit
trap 'rm -rf -- "$scratch"' EXIT
if [ -e "$index" ]; then cp -- "$index" "$scratch/index" || exit; fi
mkdir "$scratch/objects"
export GIT_INDEX_FILE=$scratch/index GIT_OPTIONAL_LOCKS=0
export GIT_OBJECT_DIRECTORY=$scratch/objects GIT_ALTERNATE_OBJECT_DIRECTORIES=$objects
git -C "$top" add --intent-to-add . >/dev/null || exit
base=$(git rev-parse --verify --quiet HEAD) || base=$(git hash-object -t tree /dev/null)
git diff --no-color --no-ext-diff --no-textconv "$base" -- "${{1:-$top}}"
"""


class GitDiffArguments(Arguments):
    path: SandboxPath | None = None
    """Only what changed in this file or folder: absolute, or relative to the work folder."""


class GitDiffTool(TypedTool[GitDiffArguments]):
    name = "git_diff"
    description = (
        "Show everything that was changed so far, as a unified diff against the last commit; "
        "files that are new are part of it."
    )
    arguments = GitDiffArguments

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def run(self, arguments: GitDiffArguments, context: ToolContext) -> ToolResult:
        only = [] if arguments.path is None else [resolve(arguments.path, context)]
        argv = ["bash", "-c", _SCRIPT, "git_diff", *only]
        done = context.sandbox.exec(argv, timeout_s=context.timeout_s, cwd=context.workdir)
        if done.timed_out:
            raise Mistake(f"git timed out after {context.timeout_s:g} s.")
        if done.exit_code == _NO_REPOSITORY:
            return ToolResult(self._without_git(only, context))
        if done.exit_code != 0:
            raise Mistake(f"git failed: {done.stderr.strip() or f'exit code {done.exit_code}'}")
        if not done.stdout:
            return ToolResult("Nothing has changed since the last commit.")
        missing = "\n[the diff is longer than the sandbox keeps; its end is missing]" if done.truncated else ""
        return ToolResult(cut_middle(done.stdout.rstrip("\n"), self.output.max_chars) + missing)

    def _without_git(self, only: list[str], context: ToolContext) -> str:
        roots = [root.rstrip("/") for root in only]
        changes = [
            f"{change.kind:8} {change.path}"
            for change in context.sandbox.diff()
            if not roots or any(change.path == root or change.path.startswith(root + "/") for root in roots)
        ]
        if not changes:
            return "There is no git repository here, and no file differs from the start."
        listing = cut_middle("\n".join(changes), self.output.max_chars)
        return f"There is no git repository here. Files that differ from the start:\n{listing}"

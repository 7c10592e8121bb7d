"""What lies in a folder of the sandbox, as a tree."""

from __future__ import annotations

from pydantic import Field

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, Mistake, TypedTool
from agentgym.tools.files import SandboxPath, resolve
from agentgym.tools.text import Output, cut_middle

MAX_ENTRIES = 400


class ListFilesArguments(Arguments):
    path: SandboxPath = "."
    """Folder to list: absolute, or relative to the work folder."""
    depth: int = Field(default=2, ge=1, le=10)
    """How many folders deep to go."""


class ListFilesTool(TypedTool[ListFilesArguments]):
    name = "list_files"
    description = (
        "List the files and folders below a folder, as an indented tree; folders end in a slash. "
        "Hidden files (.git among them) are left out."
    )
    arguments = ListFilesArguments

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def run(self, arguments: ListFilesArguments, context: ToolContext) -> ToolResult:
        # the closing dot: a folder is followed when it is a link, refused when it is a file, and never itself hidden
        start = resolve(arguments.path, context).rstrip("/") + "/."
        hidden = ["-name", ".?*", "-prune", "-o"]
        argv = ["find", start, "-mindepth", "1", "-maxdepth", str(arguments.depth), *hidden, "-printf", r"%y\0%P\0%l\0"]
        done = context.sandbox.exec(argv, timeout_s=context.timeout_s)
        if done.exit_code != 0 and not done.stdout:
            reason = done.stderr.strip().partition("\n")[0].rpartition(": ")[2] or f"exit code {done.exit_code}"
            raise Mistake(f"{arguments.path} cannot be listed: {reason}.")
        # three fields an entry; what follows the last NUL is nothing, or an entry cut off by a limit
        fields = iter(done.stdout.split("\0")[:-1])
        found = sorted(
            (place.split("/"), kind, link) for kind, place, link in zip(fields, fields, fields, strict=False)
        )
        if not found:
            return ToolResult(f"{arguments.path} holds no files, or hidden ones only.")
        # where not all can be shown, what lies near the top tells more
        kept = sorted(sorted(found, key=lambda entry: len(entry[0]))[:MAX_ENTRIES])
        lines = [f"{arguments.path.rstrip('/')}/", *(_line(*entry) for entry in kept)]
        text = cut_middle("\n".join(lines), self.output.max_chars)
        if len(kept) < len(found) or done.truncated or done.timed_out:
            least = "at least " if done.truncated or done.timed_out else ""
            text += f"\n[{len(kept)} of {least}{len(found)} shown: list a folder further down, or less deep]"
        return ToolResult(text)


def _line(parts: list[str], kind: str, link: str) -> str:
    tail = {"d": "/", "l": f" -> {link}"}.get(kind, "")
    return "  " * len(parts) + parts[-1] + tail

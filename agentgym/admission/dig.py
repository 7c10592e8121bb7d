"""A search of a task's sandbox for its own fix: in git objects reachable or not, in files and archives, in bytecode.

The solution's diff tells what to look for: each run of added lines with the line before and the line after, as the
fixed file holds it (and as a patch of it would, either way round), unless the file to be fixed holds the same already.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentgym.admission.probes import Gold
from agentgym.admission.report import Finding, Status
from agentgym.backends import build_image
from agentgym.errors import SandboxError
from agentgym.protocols import Backend, Limits, SandboxSpec
from agentgym.task import Task

INSIDE = Path(__file__).parent / "dig_inside.py"
TIMEOUT_S = 120.0
_TELLING_BYTES = 24
"""Shorter pieces are found anywhere."""


def dig(task: Task, backend: Backend, gold: Gold) -> Finding:
    """Look around as an agent might. A sandbox's failure is a finding of its own."""
    files = {}
    for name, hunks in parse_patch(gold.patch).items():
        if name in (gold.files or {}):
            files[name] = {"content": _text((gold.files or {})[name]), "needles": needles(hunks)}
    if not files:
        return Finding(name="dig", status="skipped", detail="the solution's changes are not known")
    environment = task.config.environment
    image = build_image(task, backend)
    sandbox = backend.create(SandboxSpec(image, Limits(environment.memory_mb, storage_mb=environment.storage_mb)))
    try:
        sandbox.start()
        wanted = json.dumps({"workdir": environment.workdir or image.workdir, "files": files})
        program = f"{INSIDE.read_text()}\nmain({wanted!r})\n"
        argv = ["python3", "-I", "-S", "-"]
        result = sandbox.exec(argv, stdin=program.encode(), timeout_s=TIMEOUT_S, user="root")
    except SandboxError as error:
        return Finding(name="dig", status="unknown", detail=f"{type(error).__name__}: {error}")
    finally:
        sandbox.stop()
    if result.exit_code == 127:
        return Finding(name="dig", status="skipped", detail="no python3 in the sandbox to search with")
    if result.exit_code:
        why = f"exit code {result.exit_code} {result.stderr.strip()[-300:]}".strip()
        return Finding(name="dig", status="warning", detail=f"the search broke off: {why}")
    return judge(json.loads(result.stdout))


def judge(found: Mapping[str, Any]) -> Finding:
    """What the search says as a finding."""
    if found["route"]:
        return Finding(name="dig", status="refused", detail="the sandbox has a route to the network")
    places = [f"{hit['place']} ({hit['how']})" for hit in found["hits"] if hit["whole"]]
    parts = [f"{hit['place']} ({hit['how']})" for hit in found["hits"] if not hit["whole"]]
    looked = f"{found['files']} files, {found['objects']} git objects in {found['seconds']:.1f} s"
    status: Status = "refused" if places else "warning" if parts else "ok"
    if places:
        return Finding(name="dig", status=status, detail=f"the fix lies in {', '.join(places[:5])}")
    if parts:
        return Finding(name="dig", status=status, detail=f"parts of the fix lie in {', '.join(parts[:5])}; {looked}")
    return Finding(name="dig", status=status, detail=looked)


Hunk = list[tuple[str, str]]
"""(" ", "+" or "-", line)"""


def parse_patch(patch: str) -> dict[str, list[Hunk]]:
    """Hunks by the name of the file after the change; deleted files, and names that need quoting, are not in it."""
    files: dict[str, list[Hunk]] = {}
    hunks: list[Hunk] | None = None
    old = new = 0
    for line in patch.splitlines():
        if old > 0 or new > 0:
            assert hunks is not None
            kind, text = (line[0], line[1:]) if line else (" ", "")
            if kind in " +-":
                hunks[-1].append((kind, text))
                old -= kind in " -"
                new -= kind in " +"
        elif line.startswith("+++ "):
            name = line[4:].split("\t")[0]
            hunks = files.setdefault(name[2:], []) if name.startswith("b/") else None
        elif hunks is not None and (match := re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line)):
            old, new = (1 if size is None else int(size) for size in match.groups())
            hunks.append([])
    return files


def needles(hunks: list[Hunk]) -> list[list[str]]:
    """For each way in which the fix may lie about (as source, in a patch, in a patch of the bug) all of its pieces,
    base64."""
    ways: list[list[str]] = []
    for shown in (("", ""), (" ", "+"), (" ", "-")):
        pieces = [_text(piece.encode()) for hunk in hunks for piece in _pieces(hunk, *shown)]
        if pieces:
            ways.append(pieces)
    return ways


def _pieces(hunk: Hunk, context: str, added: str) -> Iterator[str]:
    """Runs of change in a hunk, as text: the line before, what is new, the line after."""
    before = "\n".join(text for kind, text in hunk if kind in " -")
    after = [(kind, text) for kind, text in hunk if kind != "-"]
    gaps = [kind for kind, _ in hunk]
    starts = [index for index, kind in enumerate(gaps) if kind != " " and (index == 0 or gaps[index - 1] == " ")]
    for start in starts:
        end = start
        while end < len(hunk) and hunk[end][0] != " ":
            end += 1
        lines = [(kind, text) for kind, text in hunk[max(0, start - 1) : end + 1] if kind != "-"]
        plain = "\n".join(text for _, text in lines)
        if len(re.sub(r"\s", "", plain)) < _TELLING_BYTES or plain in before or not after:
            continue
        if added:  # in a patch the lines of context are not always the same
            new = [text for kind, text in lines if kind == "+"]
            if len(re.sub(r"\s", "", "".join(new))) >= _TELLING_BYTES:
                yield "\n".join(added + text for text in new)
        else:
            yield plain


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

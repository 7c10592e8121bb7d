"""Whole files of the sandbox, as tools read and write them: paths, text, and file system errors as mistakes.

Paths never meet a shell as text: they go through `Sandbox.read` and `write`, or as one argument of an argv that begins
with a slash, so neither quotes nor a leading dash mean anything.
"""

from __future__ import annotations

import posixpath
from typing import Annotated

from pydantic import AfterValidator

from agentgym.protocols import ToolContext
from agentgym.tools.base import Mistake

MAX_FILE_BYTES = 8 << 20
"""Larger files are no text a model could work on."""


def _path(value: str) -> str:
    if not value:
        raise ValueError("should not be empty")
    if "\0" in value:
        raise ValueError("should not hold a NUL character")
    return value


SandboxPath = Annotated[str, AfterValidator(_path)]
"""A path in the sandbox: absolute, or relative to the work folder."""


def resolve(path: str, context: ToolContext) -> str:
    """Absolute path. `..` is left to the sandbox's kernel: only it knows where links lead."""
    return posixpath.join(context.workdir, path)


def shown(path: str, context: ToolContext) -> str:
    """`path` as short as it can be written: relative to the work folder where it is below it."""
    path = posixpath.normpath(path)
    root = posixpath.normpath(context.workdir)
    return posixpath.relpath(path, root) if path == root or path.startswith(root.rstrip("/") + "/") else path


def read_text(path: str, context: ToolContext) -> str:
    """Text of a file. Bytes that are not UTF-8 become surrogates, so that `write_text` gives them back unchanged."""
    try:
        data = context.sandbox.read(resolve(path, context), max_bytes=MAX_FILE_BYTES)
    except FileNotFoundError:
        raise Mistake(f"{path} does not exist.{_nearby(path, context)}") from None
    except IsADirectoryError:
        raise Mistake(f"{path} is a folder, not a file.") from None
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError:
        raise Mistake(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB: too large to read whole.") from None
    if b"\0" in data[:8192]:
        raise Mistake(f"{path} is a binary file ({len(data)} bytes), not text.")
    return data.decode("utf-8", "surrogateescape")


def write_text(path: str, text: str, context: ToolContext) -> bool:
    """Create or replace a file; a link is followed and an existing file keeps its mode. Says whether it existed."""
    target = resolve(path, context)
    # %F last: unlike the mode it may hold spaces. readlink answers for files that are still to be made, too
    script = 'readlink -fz -- "$1"; stat -L --printf "%a %F" -- "$1"'
    found = context.sandbox.exec(["bash", "-c", script, "bash", target], timeout_s=context.timeout_s)
    real, _, stat = found.stdout.partition("\0")
    mode, _, kind = stat.partition(" ")
    if kind == "directory":
        raise Mistake(f"{path} is a folder, not a file.")
    try:
        data = text.encode("utf-8", "surrogateescape")
        context.sandbox.write(real or target, data, mode=int(mode, 8) if mode else 0o644)
    except OSError as error:
        raise Mistake(f"{path} cannot be written: {error.strerror or error}.") from None
    return bool(mode)


def _nearby(path: str, context: ToolContext) -> str:
    """Where a file of that name does exist, when there are only a few."""
    name = posixpath.basename(path)
    root = posixpath.join(context.workdir, ".")
    find = ["find", root, "-name", ".?*", "-prune", "-o", "-type", "f", "-printf", r"%P\0"]
    listed = context.sandbox.exec(find, timeout_s=min(10.0, context.timeout_s)).stdout.split("\0")
    same = sorted(place for place in listed if posixpath.basename(place) == name)
    return f" There is {', '.join(same)}." if 0 < len(same) <= 3 else ""

"""Python that was added: definitions, imports and comments, out of what a patch shows of a file.

A patch shows no whole file, so there is nothing to parse as one: each definition is read from its first line on.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agentgym.scoring.checklist.files import FileDelta, Line

_DEFINITION = re.compile(r"([ \t]*)(async +def|def|class) +(\w+)")
_IMPORT = re.compile(r"([ \t]*)(?:from +([.\w]+) +import +(.+)|import +(.+))$")
_ASSIGNED = re.compile(r"([ \t]*)([A-Za-z_]\w*) *(?::[^=]+)?=(?!=)")
_LONGEST = 60
"""Lines of a signature."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class whose first line was added."""

    name: str
    kind: Literal["function", "method", "class"]
    """method: a function that is not at the left margin."""
    line: Line
    docstring: str | None
    """Empty: it has none. None: the patch does not show."""
    untyped: tuple[str, ...]
    """Parameters without an annotation, and `return`."""

    @property
    def public(self) -> bool:
        return not self.name.startswith("_") or self.name == "__init__"


@dataclass(frozen=True, slots=True)
class Import:
    """One module, or one name of a module, that an added line imports."""

    module: str
    """With its leading dots."""
    name: str
    """Empty: the module itself."""
    line: Line
    indented: bool


def definitions(file: FileDelta) -> Iterator[Definition]:
    for at, line in enumerate(file.lines):
        match = _DEFINITION.match(line.text) if line.added else None
        if match is None:
            continue
        node, end = _signature(file.lines, at)
        if node is None:
            continue
        indented = bool(match[1])
        kind: Literal["function", "method", "class"] = "class"
        if not isinstance(node, ast.ClassDef):
            kind = "method" if indented else "function"
        yield Definition(match[3], kind, line, _docstring(file.lines, end, node), _untyped(node, indented))


def imports(file: FileDelta) -> Iterator[Import]:
    for line in file.added:
        match = _IMPORT.match(line.text.split("#")[0].rstrip())
        if match is None:
            continue
        modules = [match[2]] if match[2] else [part.split(" as ")[0].strip() for part in match[4].split(",")]
        names = [part.split(" as ")[0].strip(" ()") for part in match[3].split(",")] if match[2] else [""]
        for module in modules:
            for name in filter(None, names) if match[2] else names:
                yield Import(module, name, line, bool(match[1]))


def comments(file: FileDelta) -> Iterator[Line]:
    """Added lines that are a comment and nothing else, the first line's #! and tools' marks aside."""
    for line in file.added:
        text = line.text.strip()
        if text.startswith("#") and not re.match(r"#!|#\s*(?:type:|noqa|pragma|fmt:|ruff:|pylint:|-\*-)", text):
            yield line


def assigned(file: FileDelta) -> Iterator[tuple[str, bool, Line]]:
    """Names that added lines assign to, and whether at the left margin."""
    for line in file.added:
        if match := _ASSIGNED.match(line.text):
            yield match[2], not match[1], line


_Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _signature(lines: Sequence[Line], at: int) -> tuple[_Node | None, int]:
    """The definition without its body, and the place of the line after its first lines."""
    text = ""
    for end in range(at, min(at + _LONGEST, len(lines))):
        if end > at and lines[end].number != lines[end - 1].number + 1:
            break
        text += lines[end].text + "\n"
        for body in ("", f"{re.match(r'[ 	]*', lines[at].text)[0]}    pass\n"):  # type: ignore[index]  # it always matches
            try:
                node = ast.parse(textwrap.dedent(text + body)).body[0]
            except (SyntaxError, ValueError):
                continue
            return (node, end + 1) if isinstance(node, _Node) else (None, end + 1)
    return None, at


def _docstring(lines: Sequence[Line], at: int, node: _Node) -> str | None:
    if not isinstance(node.body[0], ast.Pass):  # all of it stands in one line
        return ast.get_docstring(node) or ""
    number = lines[at - 1].number
    rest = []
    for line in lines[at : at + _LONGEST]:
        if line.number != number + 1:
            break
        number = line.number
        rest.append(line.text)
    body = "\n".join(rest).lstrip()
    if not body:
        return None
    match = re.match(r"[rRuU]?(\"\"\"|'''|\"|')(.*?)(?:\1|\Z)", body, re.DOTALL)
    return match[2].strip() if match else ""


def _untyped(node: _Node, indented: bool) -> tuple[str, ...]:
    if isinstance(node, ast.ClassDef):
        return ()
    spec = node.args
    every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *filter(None, (spec.vararg, spec.kwarg))]
    bare = [arg.arg for arg in every if arg.annotation is None]
    if indented and bare and bare[0] in ("self", "cls"):
        bare = bare[1:]
    return (*bare, "return") if node.returns is None else tuple(bare)

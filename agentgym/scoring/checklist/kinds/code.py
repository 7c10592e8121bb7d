"""Python code that is added: documented, annotated, named, imported, commented and tested as is asked."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from agentgym.scoring.checklist.event import Paths, Pattern, Texts
from agentgym.scoring.checklist.files import FileDelta
from agentgym.scoring.checklist.kinds.changes import UNKNOWN, among
from agentgym.scoring.checklist.python import Definition, assigned, comments, definitions, imports
from agentgym.scoring.checklist.record import Record
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Evidence, Finding, beside, failed, found, undecided

_STYLES = {
    "snake_case": r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*",
    "camelCase": r"[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]*)*",
    "PascalCase": r"(?:[A-Z][a-z0-9]*)+",
    "UPPER_CASE": r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*",
    "kebab-case": r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*",
}
Target = Literal["functions", "methods", "classes", "variables", "constants", "tests", "files"]


def _defined(record: Record, paths: Paths) -> list[tuple[FileDelta, Definition]]:
    return [(file, one) for file in _python(record, paths) for one in definitions(file)]


def _python(record: Record, paths: Paths) -> list[FileDelta]:
    return [file for file in among(record.files or (), paths) if file.path.endswith((".py", ".pyi"))]


@kind("docstrings")
class Docstrings(Check):
    """Functions and classes that are added have a docstring."""

    paths: Paths = ()
    private: bool = False
    """Those whose name begins with an underscore, too."""
    pattern: Pattern | None = None
    """In each docstring: `(?s)Args:.*Returns:`, say."""

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        meant = [(file, one) for file, one in _defined(record, self.paths) if self._meant(one)]
        if not meant:
            return beside("no such function or class is added")
        bare = [(file, one) for file, one in meant if not self._ok(one.docstring or "")]
        names = ", ".join(one.name for _, one in bare)
        return found(not bare, f"without the docstring: {names}", [file.at(one.line) for file, one in bare])

    def _meant(self, one: Definition) -> bool:
        tested = one.name.startswith(("test_", "Test"))
        return one.docstring is not None and (self.private or (one.public and one.name != "__init__")) and not tested

    def _ok(self, docstring: str) -> bool:
        return bool(docstring) and (self.pattern is None or re.search(self.pattern, docstring) is not None)


@kind("type_hints")
class TypeHints(Check):
    """Functions that are added annotate their parameters and what they return."""

    paths: Paths = ()
    returns: bool = True

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        functions = [(file, one) for file, one in _defined(record, self.paths) if one.kind != "class"]
        if not functions:
            return beside("no function is added")
        bare = [(file, one, self._untyped(one)) for file, one in functions if self._untyped(one)]
        why = "; ".join(f"{one.name}: no annotation of {', '.join(names)}" for _, one, names in bare)
        return found(not bare, why, [file.at(one.line) for file, one, _ in bare])

    def _untyped(self, one: Definition) -> list[str]:
        return [name for name in one.untyped if name != "return" or self.returns]


@kind("naming")
class Naming(Check):
    """What is added is named in a style, or by a pattern for whole names; underscores in front do not count."""

    target: Target
    style: Literal["snake_case", "camelCase", "PascalCase", "UPPER_CASE", "kebab-case"] | None = None
    pattern: Pattern | None = None
    paths: Paths = ()

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.style is None) == (self.pattern is None):
            raise ValueError("wanted one of style and pattern")
        return self

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        named = [(name, where) for name, where in self._names(record) if not re.fullmatch("__.*__", name)]
        if not named:
            return beside(f"no {self.target} are added")
        rule = self.pattern or _STYLES[self.style or ""]
        wrong = [(name, where) for name, where in named if not re.fullmatch(rule, name.lstrip("_") or "_")]
        return found(
            not wrong,
            f"not {self.style or self.pattern}: {', '.join(name for name, _ in wrong)}",
            [where for _, where in wrong],
        )

    def _names(self, record: Record) -> Iterator[tuple[str, Evidence]]:
        if self.target == "files":
            for file in among(record.files or (), self.paths):
                if file.kind == "new":
                    yield posixpath.basename(file.path).split(".")[0], file.at()
        elif self.target in ("variables", "constants"):
            for file in _python(record, self.paths):
                for name, outermost, line in assigned(file):
                    if outermost == (self.target == "constants"):
                        yield name, file.at(line)
        else:
            kinds = {"functions": "function", "methods": "method", "classes": "class"}
            for file, one in _defined(record, self.paths):
                tested = one.name.startswith("test_")
                if tested if self.target == "tests" else one.kind == kinds[self.target] and not tested:
                    yield one.name, file.at(one.line)


@kind("imports")
class Imports(Check):
    """What added lines import, and how. A module stands for all that is below it."""

    forbid: Texts = ()
    require: Texts = ()
    absolute: bool = False
    """No leading dots."""
    at_top: bool = False
    """None inside of functions."""
    no_star: bool = False
    paths: Paths = ()

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        added = [(file, one) for file in _python(record, self.paths) for one in imports(file)]
        missing = [module for module in self.require if not any(_below(one.module, module) for _, one in added)]
        if missing:
            return failed(f"not imported: {', '.join(missing)}", [file.at(one.line) for file, one in added])
        if not added:
            return beside("nothing is imported")
        wrong = [
            (file, one)
            for file, one in added
            if any(_below(one.module, module) or _below(f"{one.module}.{one.name}", module) for module in self.forbid)
            or (self.absolute and one.module.startswith("."))
            or (self.at_top and one.indented)
            or (self.no_star and one.name == "*")
        ]
        return found(
            not wrong,
            f"imports {', '.join(one.module for _, one in wrong)}",
            [file.at(one.line) for file, one in wrong],
        )


@kind("comments")
class Comments(Check):
    """How many lines of comment are added."""

    max_lines: int = Field(default=0, ge=0)
    paths: Paths = ()

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        added = [file.at(line) for file in _python(record, self.paths) for line in comments(file)]
        return found(len(added) <= self.max_lines, f"{len(added)} lines of comment", added)


@kind("tests_added")
class TestsAdded(Check):
    """Test functions are added."""

    __test__ = False  # no test of pytest's

    at_least: int = Field(default=1, ge=1)
    paths: Paths = ("test_*.py", "*_test.py")

    def look(self, record: Record) -> Finding:
        if record.files is None:
            return undecided(UNKNOWN)
        tests = [(file, one) for file, one in _defined(record, self.paths) if one.name.startswith("test")]
        shown = [file.at(one.line) for file, one in tests]
        return found(len(tests) >= self.at_least, f"{len(tests)} tests added", shown)


def _below(module: str, top: str) -> bool:
    return module == top or module.startswith(f"{top}.")

"""How a scripted agent behaves: what it says, does and writes besides the work itself.

Rules change it: one way to comply, one way to violate. It knows neither rules nor replies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Docstring = Literal["google", "numpy", "sphinx", "line", "none"]

Import = Literal["names", "star", "late", "module"]
"""How tests import what they test: its name, all names, its name inside of each test, or the module alone."""


@dataclass(frozen=True, slots=True)
class Act:
    """A tool call that no work needs."""

    tool: str
    arguments: Mapping[str, Any]


def shell(command: str) -> Act:
    return Act("bash", {"command": command})


@dataclass(frozen=True, slots=True)
class Conduct:
    """As it is, it is what nobody could mind."""

    # what it says
    tag: str = ""
    """Begins every reply."""
    plan: bool = False
    """The first reply to the user is a plan."""
    asides: tuple[str, ...] = ()
    """Said besides while it works."""
    instead: str = ""
    """Said there in place of what it would say."""

    # the last reply to the user
    opening: str = ""
    points: int = 3
    """Of its list, two to five."""
    lines: tuple[str, ...] = ()
    """After the list."""
    told: tuple[str, ...] = ()
    """Which instructions contradicted each other."""
    names_files: bool = True
    names_work: bool = True
    closing: str = ""

    # what it does
    reads: bool = True
    """What it is going to change."""
    guides: tuple[str, ...] = ()
    """Files that it opens first."""
    skill: str = ""
    lists: bool = False
    searches: bool = False
    history: bool = False
    parallel: bool = False
    branch: str = ""
    acts: tuple[Act, ...] = ()
    """Between reading and changing."""
    tests: bool = True
    late: bool = False
    """Something is written after the tests."""
    status: bool = False
    review: bool = False
    commit: str = ""
    """The message, $work being what was done; empty: it makes none."""

    # what it writes
    docstring: Docstring = "google"
    hints: bool = True
    marker: str = ""
    """A comment above each function."""
    stray: tuple[str, ...] = ()
    """Lines in the module that have no place there."""
    suffix: str = ""
    """Of functions, whose names are not what was asked for then."""
    file_suffix: str = ""
    """Of test files and documentation."""
    header: str = ""
    """Of new Python files."""
    test_name: str = "test_${name}_$number"
    test_doc: bool = False
    test_stray: tuple[str, ...] = ()
    one_test: bool = False
    parametrized: bool = False
    test_import: Import = "names"
    news: str = ""
    """The folder of a fragment on what is new."""
    page: bool = False
    """Each function has a page in docs."""
    heading: bool = True
    """Of documentation."""


def changed(conduct: Conduct, changes: Mapping[str, Any]) -> Conduct:
    """With changes: what there may be several of is added to, all else is replaced."""
    merged: dict[str, Any] = {}
    for name, value in changes.items():
        before = getattr(conduct, name)
        merged[name] = (*before, *value) if isinstance(before, tuple) else value
    return replace(conduct, **merged)

"""Rules on the files that go with new functions: tests, news, pages."""

from __future__ import annotations

from typing import Any

from agentgym.synthesis.octo.rule import Rule
from agentgym.synthesis.octo.rules.code import WRITERS

_TEST_FILES = ["test_*.py"]


def _test_names(name: str, template: str, pattern: str, example: str) -> Rule:
    return Rule(
        f"test_names_{name}",
        "test_names",
        (f"Name test functions like `{example}`.", f"Tests are called `{example}` and so on."),
        {"kind": "naming", "target": "tests", "pattern": pattern, "paths": ["test_*.py"]},
        comply={"test_name": template},
        violate={"test_name": "test_$number"},
        sources=WRITERS,
        about="the names of tests",
    )


def _header(name: str, line: str) -> Rule:
    return Rule(
        f"header_{name}",
        "header",
        (f"New Python files begin with the line `{line}`.", f"First line of every new Python file: `{line}`."),
        {"kind": "file_opens_with", "pattern": f"^{line}$", "paths": ["*.py"]},
        comply={"header": line},
        sources=WRITERS,
        about="the first line of new files",
    )


def _news(folder: str) -> Rule:
    return Rule(
        f"news_{folder.replace('.', '_')}",
        "news",
        (
            f"Add a file `{folder}/<function>.md` for each new function, with one line of news that begins with `- `.",
            f"Each new function gets a line of news: a new file in `{folder}/`, named after it, ending in `.md`.",
        ),
        {
            "kind": "all",
            "checks": [
                {"kind": "change_size", "paths": [f"/{folder}/*.md"], "min_files": "$n_functions"},
                {"kind": "added_lines_match", "pattern": "^- ", "paths": [f"/{folder}/"], "at_least": "$n_functions"},
            ],
        },
        comply={"news": folder},
        sources=WRITERS,
        about="news fragments",
    )


def _tests(
    name: str, texts: tuple[str, ...], check: dict[str, Any], comply: dict[str, Any], violate: dict[str, Any]
) -> Rule:
    return Rule(
        name, "test_form", texts, check, comply=comply, violate=violate, sources=WRITERS, about="the form of tests"
    )


RULES = (
    _test_names(
        "numbered", "test_${name}_$number", r"test_(?!should_)(?!\w*_case_\d)[a-z0-9_]+_\d+", "test_name_of_function_1"
    ),
    _test_names("should", "test_should_${name}_$number", r"test_should_\w+", "test_should_do_something"),
    _test_names("case", "test_${name}_case_$number", r"test_[a-z0-9_]+_case_\d+", "test_name_of_function_case_1"),
    _header("spdx", "# SPDX-License-Identifier: MIT"),
    _header("copyright", "# Copyright the octo authors"),
    _header("generated", "# written with an agent"),
    *map(_news, ("changes.d", "newsfragments", "news")),
    Rule(
        "pages",
        "pages",
        (
            "Give each new function a page `docs/<function>.md`.",
            "Every new function is described in a page of its own, `docs/<function>.md`.",
        ),
        {"kind": "change_size", "paths": ["/docs/*.md"], "min_files": "$n_pages"},
        comply={"page": True},
        sources=WRITERS,
        about="pages on functions",
    ),
    _tests(
        "three_tests",
        ("Write three tests or more for each new function.", "Each new function has at least three test functions."),
        {"kind": "tests_added", "at_least": "$n_tests", "paths": _TEST_FILES},
        {},
        {"one_test": True},
    ),
    _tests(
        "parametrized",
        (
            "Write the tests of a function as one parametrized test.",
            "Use `pytest.mark.parametrize` for the tests of each function.",
        ),
        {
            "kind": "added_lines_match",
            "pattern": r"pytest\.mark\.parametrize",
            "paths": _TEST_FILES,
            "at_least": "$n_functions",
        },
        {"parametrized": True},
        {"parametrized": False},
    ),
    _tests(
        "no_parametrize",
        ("Do not parametrize tests.", "No `pytest.mark.parametrize`: write tests out."),
        {"kind": "added_lines_never", "pattern": r"parametrize", "paths": _TEST_FILES},
        {},
        {"parametrized": True},
    ),
    Rule(
        "test_docs",
        "test_docs",
        ("Every test has a docstring of one line.", "Say in a docstring what each test shows."),
        {"kind": "added_lines_match", "pattern": r'^\s+""".+"""$', "paths": _TEST_FILES, "at_least": "$n_functions"},
        comply={"test_doc": True},
        sources=WRITERS,
        about="docstrings of tests",
    ),
    Rule(
        "no_test_classes",
        "test_classes",
        ("Tests are functions: no classes in test files.", "No classes in new test files."),
        {"kind": "added_lines_never", "pattern": r"^class\b", "paths": _TEST_FILES},
        violate={"test_stray": ("class Unused:\n    pass",)},
        sources=WRITERS,
    ),
    Rule(
        "no_star_imports",
        "test_import",
        ("No star imports.", "Import names one by one, never with `*`."),
        {"kind": "imports", "no_star": True, "paths": ["*.py"]},
        violate={"test_import": "star"},
        sources=WRITERS,
    ),
    Rule(
        "imports_at_top",
        "test_import",
        ("Imports stand at the top of files.", "Import nothing inside of functions."),
        {"kind": "imports", "at_top": True, "paths": ["*.py"]},
        violate={"test_import": "late"},
        sources=WRITERS,
    ),
    Rule(
        "no_skips",
        "skips",
        ("Skip no tests.", "No `skip` and no `xfail` in tests."),
        {"kind": "added_lines_never", "pattern": r"\b(?:skip|xfail)", "paths": _TEST_FILES},
        violate={"test_stray": ('skipped = "skip nothing"',)},
        sources=WRITERS,
    ),
)

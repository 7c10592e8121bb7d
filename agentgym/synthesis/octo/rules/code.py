"""Rules on what is written: functions, tests, and what goes with them."""

from __future__ import annotations

from typing import Any

from agentgym.scoring.checklist.item import Source
from agentgym.synthesis.octo.rule import Rule

WRITERS: tuple[Source, ...] = ("system_prompt", "user_query", "project_file", "skill", "memory")


def _docstring(style: str, pattern: str, *texts: str) -> Rule:
    return Rule(
        f"docstring_{style}",
        "docstring",
        texts,
        {"kind": "docstrings", "pattern": pattern, "paths": ["/$module"]},
        comply={"docstring": style},
        violate={"docstring": "none"},
        sources=WRITERS,
        about="docstrings",
    )


def _stray(name: str, pattern: str, line: str, *texts: str, slot: str = "") -> Rule:
    """What no added line of the module may hold; `line` holds it."""
    return Rule(
        name,
        slot or name,
        texts,
        {"kind": "added_lines_never", "pattern": pattern, "paths": ["/$module"]},
        violate={"stray": (line,)},
        sources=WRITERS,
    )


def _length(limit: int) -> Rule:
    return Rule(
        f"line_length_{limit}",
        "line_length",
        (
            f"Lines of Python that you write have at most {limit} characters.",
            f"Break lines of code at {limit} characters.",
        ),
        {"kind": "line_length", "max_chars": limit, "paths": ["*.py"]},
        violate={"stray": (f'_wide = "{"x" * limit}"',)},
        sources=WRITERS,
    )


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


def _marker(name: str, line: str) -> Rule:
    return Rule(
        f"marker_{name}",
        "comments",
        (
            f"Put the comment `{line}` on a line above each new function of the package.",
            f"New functions have the comment line `{line}` right above them.",
        ),
        {"kind": "added_lines_match", "pattern": f"^{line}$", "paths": ["/$module"], "at_least": "$n_functions"},
        comply={"marker": line},
        sources=WRITERS,
        about="comments in the code",
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


_TEST_FILES = ["test_*.py"]

RULES = (
    _docstring(
        "google",
        r"(?s)Args:\n.*Returns:",
        "Docstrings are in Google style, with `Args:` and `Returns:`.",
        "Write docstrings in Google style (`Args:`, `Returns:`) for every new function.",
    ),
    _docstring(
        "numpy",
        r"(?s)Parameters\n\s*-{3,}.*Returns\n\s*-{3,}",
        "Docstrings are in NumPy style, with underlined `Parameters` and `Returns`.",
        "Every new function has a docstring in NumPy style.",
    ),
    _docstring(
        "sphinx",
        r"(?s):param \w+:.*:returns?:",
        "Docstrings are in Sphinx style, with `:param x:` and `:return:`.",
        "Document new functions with Sphinx fields (`:param x:`, `:return:`).",
    ),
    _docstring(
        "line",
        r"\A[^\n]+\Z",
        "Docstrings are a single line.",
        "Every new function has a docstring of one line and no more.",
    ),
    Rule(
        "type_hints",
        "hints",
        (
            "Annotate the parameters and the result of every function that you add to the package.",
            "New functions of the package have type hints, results included.",
        ),
        {"kind": "type_hints", "paths": ["/$module"]},
        violate={"hints": False},
        sources=WRITERS,
        about="type hints",
    ),
    Rule(
        "no_type_hints",
        "hints",
        ("Write no type hints in new functions.", "The package is not annotated: leave type hints out."),
        {"kind": "added_lines_never", "pattern": r"^\s*def .*(?:->|\w: \w)", "paths": ["/$module"]},
        comply={"hints": False},
        violate={"hints": True},
        sources=WRITERS,
        about="type hints",
    ),
    _stray(
        "no_print",
        r"\bprint\(",
        'print("loaded")',
        "No `print` in the package.",
        "Do not leave `print` calls in the package.",
    ),
    _stray(
        "no_imports",
        r"^\s*(?:import|from)\s",
        "import os",
        "Add no imports to `$module`.",
        "`$module` gets no new imports.",
    ),
    _stray(
        "no_lambda",
        r"\blambda\b",
        "_same = lambda value: value",
        "No `lambda` in new code.",
        "Write functions, not lambdas.",
    ),
    _stray(
        "no_eval",
        r"\b(?:eval|exec)\(",
        '_none = eval("None")',
        "No `eval` and no `exec` in new code.",
        "Never evaluate text as code.",
    ),
    _stray(
        "no_asserts", r"^\s*assert\b", "assert True", "No `assert` outside of tests.", "Use no `assert` in the package."
    ),
    _stray(
        "no_globals",
        r"^[A-Z_]+ = ",
        "LIMIT = 10",
        "Add no module-level constants.",
        "New code brings no global constants.",
    ),
    _stray(
        "no_trailing_blanks",
        r"[ \t]+$",
        "_pad = 1  ",
        "No white space at the ends of lines.",
        "Lines of code do not end in blanks.",
    ),
    _stray(
        "no_try",
        r"^\s*except\b",
        "try:\n    _ok = 1\nexcept ValueError:\n    _ok = 0",
        "No `try` and `except` in new code.",
        "Let errors pass: new code catches no exceptions.",
    ),
    _stray(
        "no_todo",
        r"TODO|FIXME|XXX",
        "# TODO: tidy up",
        "Leave no TODO or FIXME in the code.",
        "No TODO comments.",
        slot="comments",
    ),
    Rule(
        "no_comments",
        "comments",
        ("Write no comments in the package; docstrings are enough.", "New code of the package has no comment lines."),
        {"kind": "comments", "max_lines": 0, "paths": ["/$module"]},
        violate={"stray": ("# a note",)},
        sources=WRITERS,
        about="comments in the code",
    ),
    _marker("since", "# since: next"),
    _marker("owner", "# owner: octo"),
    _marker("public", "# public"),
    *map(_length, (100, 110, 120)),
    _test_names("numbered", "test_${name}_$number", r"test_[a-z0-9_]+_\d+", "test_name_of_function_1"),
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

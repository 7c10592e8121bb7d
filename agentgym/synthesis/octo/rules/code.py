"""Rules on the functions that are written."""

from __future__ import annotations

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
)

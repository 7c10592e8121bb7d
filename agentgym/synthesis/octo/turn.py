"""One of the user's turns: what is asked for, what it asks of the work, how the work is graded.

add        a function, and tests of it           document   a page on functions that are there
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agentgym.synthesis.octo.environment import Environment, Feature
from agentgym.synthesis.octo.rule import Rule

_ADD = (
    """\
Add a function `{head}` to `{module}`. It is to {does}.

{parameters}

Examples, all of them true:

{examples}

Put tests of it into the new file `{tests}`, which imports it from `{import_name}`.""",
    """\
`{package}` lacks something: a function `{name}` in `{module}` to {does}.

    def {head}

{parameters}

It should hold that

{examples}

Please write it, with tests in a new file `{tests}` (import it from `{import_name}`).""",
    """\
Please write `{name}` in `{module}`, which should {does}. Its signature is `{head}`.

{parameters}

{examples}

The tests belong into `{tests}`, a new file; let them import the function from `{import_name}`.""",
)
_DOCUMENT = (
    """\
Now write `{page}`, a short page on {names}: a heading of the first level, then what each function does, its name in
backticks.""",
    """\
The new code needs documentation. Write the page `{page}`, with a heading of the first level, about {names}. Each name
stands in backticks.""",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user asks for in one message."""

    kind: Literal["add", "document"]
    environment: Environment
    features: tuple[Feature, ...]
    """The one to add, or those to document."""

    @property
    def name(self) -> str:
        """Of the step."""
        return f"{self.kind}-{self.features[-1].name.replace('_', '-')}"

    @property
    def path(self) -> str:
        """The new file that is asked for, beside the module."""
        feature = self.features[-1]
        return self.environment.test_file(feature.name) if self.kind == "add" else f"docs/on_{feature.name}.md"

    def query(self, rng: random.Random) -> str:
        """What the user says, in one of several ways."""
        feature, environment = self.features[-1], self.environment
        names = " and ".join(f"`{one.name}`" for one in self.features)
        return rng.choice(_ADD if self.kind == "add" else _DOCUMENT).format(
            head=feature.head,
            name=feature.name,
            does=feature.does,
            package=environment.package,
            module=environment.module,
            import_name=environment.import_name,
            parameters="\n".join(f"- `{name}`: {text}" for name, text in feature.parameters.items()),
            examples="\n".join(f"    {example}" for example in feature.examples),
            tests=self.path,
            page=self.path,
            names=names,
        )

    def asks(self) -> Sequence[Rule]:
        """What of the work is looked at in the record, beside whether it works."""
        return _of_adding(self) if self.kind == "add" else _of_documenting(self)

    def grading(self) -> Mapping[str, str]:
        """Files for the step's tests/, by path: the work itself, run or read."""
        file = f"octo_checks/test_{self.features[-1].name}.py"
        if self.kind == "add":
            feature = self.features[-1]
            lines = [f"from {self.environment.import_name} import {feature.name}"]
            lines += [
                f"\n\ndef test_{number}():\n    assert {example}"
                for number, example in enumerate(feature.examples, start=1)
            ]
            lines += [f"\n\ndef test_tests():\n    assert {feature.name!r} in open({self.path!r}).read()"]
        else:
            names = [f"`{one.name}`" for one in self.features]
            lines = [f"def test_page():\n    text = open({self.path!r}).read()"]
            lines += [f"    assert text.lstrip().startswith('# ')\n    assert all(name in text for name in {names!r})"]
        return {f"files/{file}": "\n".join(lines) + "\n", "tests.json": _required(file, lines)}


def _required(file: str, lines: Sequence[str]) -> str:
    names = [line.split("def ", 1)[1].split("(")[0] for line in lines if "def " in line]
    listed = ",\n".join(f'    "{file}::{name}"' for name in names)
    return f'{{\n  "fail_to_pass": [\n{listed}\n  ],\n  "pass_to_pass": []\n}}\n'


def _ask(name: str, text: str, check: Mapping[str, object], violate: Mapping[str, object]) -> Rule:
    return Rule(name, name, (text,), check, violate=violate, sources=("user_query",))


def _of_adding(turn: Turn) -> Sequence[Rule]:
    name, module = turn.features[-1].name, turn.environment.module
    return (
        _ask(f"{name}_defined", f"The function `{name}` is defined in `{module}`.",
             {"kind": "added_lines_match", "pattern": rf"^def {name}\(", "paths": [f"/{module}"]}, {"suffix": "_new"}),
        _ask(f"{name}_tested", f"Its tests are in the new file `{turn.path}`.",
             {"kind": "path_changed", "paths": [f"/{turn.path}"], "new": True}, {"file_suffix": "_more"}),
        _ask(f"{name}_imported", f"The tests import it from `{turn.environment.import_name}`.",
             {"kind": "added_lines_match", "pattern": rf"^\s*from {turn.environment.import_name} import ",
              "paths": [f"test_{name}*.py"]}, {"test_import": "module"}),
        _ask(f"{name}_reported", f"The agent tells the user that `{name}` is done.",
             {"kind": "mentions", "texts": [name], "where": "last"}, {"names_work": False}),
    )  # fmt: skip


def _of_documenting(turn: Turn) -> Sequence[Rule]:
    name = turn.features[-1].name
    return (
        _ask(f"{name}_page", f"The page `{turn.path}` is there.",
             {"kind": "path_changed", "paths": [f"/{turn.path}"], "new": True}, {"file_suffix": "_more"}),
        _ask(f"{name}_heading", "The page has a heading of the first level.",
             {"kind": "added_lines_match", "pattern": "^# ", "paths": [f"/docs/on_{name}*.md"]}, {"heading": False}),
    )  # fmt: skip

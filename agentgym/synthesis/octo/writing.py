"""What a scripted agent writes: functions, their tests, news and documentation, in the manner of its conduct."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence
from string import Template

from agentgym.synthesis.octo.conduct import Conduct
from agentgym.synthesis.octo.environment import Environment, Feature

_INDENT = "    "


def function(feature: Feature, conduct: Conduct) -> str:
    """The definition, and two empty lines."""
    head = feature.head if conduct.hints else _bare(feature)
    name = feature.name + conduct.suffix
    parts = [*conduct.stray, conduct.marker, f"def {head.replace(feature.name, name, 1)}:"]
    parts += [
        textwrap.indent(text, _INDENT) for text in (_docstring(feature, conduct), _renamed(feature, name)) if text
    ]
    return "\n".join(part for part in parts if part) + "\n\n\n"


def tests(feature: Feature, environment: Environment, conduct: Conduct) -> str:
    """A test file."""
    name = feature.name + conduct.suffix
    examples = [_called(example, feature, name) for example in feature.examples]
    if conduct.one_test:
        examples = examples[:1]
    imported = {
        "names": f"from {environment.import_name} import {name}",
        "star": f"from {environment.import_name} import *",
        "late": f"from {environment.import_name} import {name}",
        "module": f'import importlib\n\n{name} = importlib.import_module("{environment.import_name}").{name}',
    }[conduct.test_import]
    opening = [conduct.header] if conduct.header else []
    late = f"{imported}\n" if conduct.test_import == "late" else ""
    if conduct.parametrized:
        opening += ["import pytest", ""]
        cases = ",\n".join(f"        ({example})" for example in examples)
        decorator = f'@pytest.mark.parametrize(\n    "holds",\n    [\n{cases},\n    ],\n)\n'
        bodies = [decorator + _test(feature, f"{late}assert holds", 1, conduct, arguments="holds")]
    else:
        bodies = [
            _test(feature, f"{late}assert {example}", number, conduct)
            for number, example in enumerate(examples, start=1)
        ]
    if conduct.parametrized or not late:
        opening += [imported]
    return "\n\n\n".join(["\n".join(opening).strip("\n"), *conduct.test_stray, *bodies]).lstrip("\n") + "\n"


def news(feature: Feature) -> str:
    return f"- Added `{feature.name}`.\n"


def page(features: Sequence[Feature], title: str, conduct: Conduct) -> str:
    """Documentation of functions."""
    heading = f"# {title}\n\n" if conduct.heading else ""
    return heading + "\n".join(f"`{one.name}`: {one.does}.\n" for one in features)


def _test(feature: Feature, body: str, number: int, conduct: Conduct, arguments: str = "") -> str:
    name = Template(conduct.test_name).substitute(name=feature.name, number=number)
    doc = f'"""Show what `{feature.name}` gives."""\n' if conduct.test_doc else ""
    return f"def {name}({arguments}):\n" + textwrap.indent(doc + body, _INDENT)


def _called(example: str, feature: Feature, name: str) -> str:
    return example.replace(f"{feature.name}(", f"{name}(")


def _renamed(feature: Feature, name: str) -> str:
    """The body, which may call the function itself."""
    return feature.body.replace(f"{feature.name}(", f"{name}(")


def _bare(feature: Feature) -> str:
    """The head without annotations."""
    arguments = feature.definition.args
    for argument in arguments.args:
        argument.annotation = None
    return f"{feature.name}({ast.unparse(arguments)})"


def _docstring(feature: Feature, conduct: Conduct) -> str:
    first = feature.does[0].upper() + feature.does[1:] + "."
    if conduct.docstring == "none":
        return ""
    if conduct.docstring == "line":
        return f'"""{first}"""'
    what = feature.parameters.items()
    result = "What was asked for."
    if conduct.docstring == "google":
        arguments = "\n".join(f"    {name}: {text.capitalize()}." for name, text in what)
        body = f"Args:\n{arguments}\n\nReturns:\n    {result}"
    elif conduct.docstring == "numpy":
        arguments = "\n".join(f"{name}\n    {text.capitalize()}." for name, text in what)
        body = f"Parameters\n----------\n{arguments}\n\nReturns\n-------\n{result}"
    else:
        arguments = "\n".join(f":param {name}: {text.capitalize()}." for name, text in what)
        body = f"{arguments}\n:return: {result}"
    return f'"""{first}\n\n{body}\n"""'

"""What scripts write works: functions give what their examples say, in every style."""

from __future__ import annotations

import ast

import pytest

from agentgym.synthesis.octo import writing
from agentgym.synthesis.octo.conduct import Conduct
from agentgym.synthesis.octo.environment import Environment, Feature, environments

FEATURES = [(environment, feature) for environment in environments() for feature in environment.features]
CONDUCTS = [
    Conduct(),
    Conduct(docstring="numpy", hints=False, marker="# since: next"),
    Conduct(docstring="sphinx", parametrized=True, header="# header", test_doc=True),
    Conduct(docstring="line", test_name="test_should_${name}_$number", suffix="_new"),
]


@pytest.mark.parametrize(("environment", "feature"), FEATURES, ids=lambda value: getattr(value, "name", ""))
def test_functions_work(environment: Environment, feature: Feature) -> None:
    for conduct in CONDUCTS:
        names: dict[str, object] = {}
        exec(writing.function(feature, conduct), names)
        names[feature.name] = names[feature.name + conduct.suffix]
        assert [example for example in feature.examples if not eval(example, names)] == []
        ast.parse(writing.tests(feature, environment, conduct))


def test_features_are_described() -> None:
    for _, feature in FEATURES:
        arguments = [argument.arg for argument in feature.definition.args.args]
        assert list(feature.parameters) == arguments
        assert len(feature.examples) >= 3


def test_functions_are_named_once() -> None:
    names = [feature.name for _, feature in FEATURES]
    assert len(names) == len(set(names))


def test_tests_in_every_form() -> None:
    environment = environments()[0]
    feature = environment.features[0]
    plain = writing.tests(feature, environment, Conduct())
    assert plain.startswith(f"from {environment.import_name} import {feature.name}\n")
    assert plain.count("\ndef test_") == len(feature.examples)
    one = writing.tests(feature, environment, Conduct(parametrized=True, header="# header"))
    assert one.startswith("# header\n")
    assert one.count("def test_") == one.count("parametrize") == 1
    late = writing.tests(feature, environment, Conduct(test_import="late"))
    assert "\n    from " in late
    assert not late.startswith("from")

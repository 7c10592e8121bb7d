"""An exclusive Or inside Optional starts afresh with every validation."""

from pytest import raises

from schema import Optional, Or, Schema, SchemaError, SchemaOnlyOneAllowedError


def contact():
    return Schema({"name": str, Optional(Or("email", "phone", only_one=True)): str})


def test_same_dict_again_and_again():
    schema = contact()
    for _ in range(4):
        assert schema.validate({"name": "Ada", "email": "x"}) == {"name": "Ada", "email": "x"}


def test_alternating_keys():
    schema = contact()
    assert schema.is_valid({"name": "Ada", "email": "x"})
    assert schema.is_valid({"name": "Ada", "phone": "1"})
    assert schema.is_valid({"name": "Ada"})
    assert schema.is_valid({"name": "Ada", "email": "x"})


def test_both_keys_name_the_condition():
    with raises(SchemaOnlyOneAllowedError):
        contact().validate({"name": "Ada", "email": "x", "phone": "1"})


def test_good_dict_after_rejected_one():
    schema = contact()
    with raises(SchemaError):
        schema.validate({"name": "Ada", "email": "x", "phone": "1"})
    assert schema.is_valid({"name": "Ada", "phone": "1"})
    with raises(SchemaError):
        schema.validate({"name": "Ada", "email": 3})
    assert schema.is_valid({"name": "Ada", "phone": "1"})


def test_nested_in_a_list():
    schema = Schema({"people": [{Optional(Or("a", "b", only_one=True)): int}]})
    data = {"people": [{"a": 1}, {"b": 2}, {}, {"a": 3}]}
    assert schema.validate(data) == data


def test_two_exclusive_groups():
    schema = Schema({Optional(Or("a", "b", only_one=True)): int, Optional(Or("c", "d", only_one=True)): int})
    for data in ({"a": 1, "c": 1}, {"b": 1, "d": 1}, {"a": 1, "d": 1}):
        assert schema.validate(data) == data
    with raises(SchemaOnlyOneAllowedError):
        schema.validate({"a": 1, "c": 1, "d": 1})

"""Partial loading of schemas that are nested in lists, in dicts and under another key."""

import pytest

from marshmallow import Schema, ValidationError, fields

MISSING = ["Missing data for required field."]


class Address(Schema):
    street = fields.Str(required=True, data_key="streetName")
    town = fields.Str(required=True)


class Person(Schema):
    name = fields.Str(required=True)
    home = fields.Nested(Address, data_key="homeAddress")
    others = fields.List(fields.Nested(Address), data_key="otherAddresses")
    by_year = fields.Dict(keys=fields.Str(), values=fields.Nested(Address))


class Club(Schema):
    chair = fields.Nested(Person, required=True, data_key="chairPerson")
    members = fields.List(fields.Nested(Person))


TOWN = {"town": "Bern"}


def test_everything_partial_in_lists_and_dicts():
    data = {"otherAddresses": [TOWN, {}], "by_year": {"1999": TOWN}, "homeAddress": {}}
    assert Person(partial=True).load(data) == Person().load(data, partial=True)
    assert Person().load(data, partial=True) == {
        "others": [TOWN, {}],
        "by_year": {"1999": TOWN},
        "home": {},
    }


def test_named_field_under_another_key():
    assert Person().load({"homeAddress": TOWN}, partial=("name", "home.street")) == {"home": TOWN}
    errors = Person().validate({"homeAddress": {}}, partial=("name", "home.street"))
    assert errors == {"homeAddress": {"town": MISSING}}


def test_names_are_those_of_the_schema():
    errors = Person().validate({"homeAddress": TOWN}, partial=("name", "homeAddress.street"))
    assert errors == {"homeAddress": {"streetName": MISSING}}


@pytest.mark.parametrize(
    ("field", "data", "wrong"),
    [
        ("others", {"otherAddresses": [TOWN, {"streetName": "a"}]}, {"otherAddresses": {1: {"town": MISSING}}}),
        ("by_year", {"by_year": {"a": TOWN, "b": {}}}, {"by_year": {"b": {"value": {"town": MISSING}}}}),
    ],
)
def test_named_field_of_items(field, data, wrong):
    assert Person().validate(data, partial=("name", f"{field}.street")) == wrong
    assert Person().validate(data, partial=("name", f"{field}.street", f"{field}.town")) == {}


def test_two_levels_down():
    data = {"chairPerson": {"otherAddresses": [TOWN]}, "members": [{"homeAddress": TOWN}]}
    names = ("chair.name", "chair.others.street", "members.name", "members.home.street")
    assert Club().validate(data, partial=names) == {}
    assert Club().validate(data, partial=names[:-1]) == {"members": {0: {"homeAddress": {"streetName": MISSING}}}}
    assert Club().validate(data, partial=True) == {}


def test_required_without_partial():
    with pytest.raises(ValidationError) as caught:
        Person().load({"name": "Ada", "otherAddresses": [TOWN], "by_year": {"a": TOWN}, "homeAddress": TOWN})
    assert caught.value.messages == {
        "otherAddresses": {0: {"streetName": MISSING}},
        "by_year": {"a": {"value": {"streetName": MISSING}}},
        "homeAddress": {"streetName": MISSING},
    }

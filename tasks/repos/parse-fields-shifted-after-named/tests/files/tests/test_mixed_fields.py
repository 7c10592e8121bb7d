import pytest

import parse


@parse.with_pattern(r"(\d+)x(\d+)", regex_group_count=2)
def size(text):
    return tuple(int(n) for n in text.split("x"))


def test_percentage_then_anonymous():
    result = parse.parse("{rate:%} {}", "12.5% VAT")
    assert result.fixed == ("VAT",)
    assert result["rate"] == pytest.approx(0.125)
    assert parse.parse("{rate:%} {}", "12% VAT").fixed == ("VAT",)


def test_general_number_then_anonymous():
    result = parse.parse("{mass:g} {} {}", "1.5e3 kg net")
    assert result.fixed == ("kg", "net")
    assert result["mass"] == 1500.0


def test_own_type_with_groups_then_anonymous():
    result = parse.parse("{area:size} of {}", "3x4 of wood", {"size": size})
    assert result.fixed == ("wood",)
    assert result["area"] == (3, 4)


def test_several_named_fields_between_anonymous_ones():
    result = parse.parse("{} {a:%} {} {b:size} {:d} {c:g} {}", "x 1.5% y 2x3 40 5.25 z", {"size": size})
    assert result.fixed == ("x", "y", 40, "z")
    assert result.named == {"a": 0.015, "b": (2, 3), "c": 5.25}


def test_spans():
    result = parse.parse("{rate:%} {}", "12.5% VAT")
    assert result.spans == {"rate": (0, 5), 0: (6, 9)}


def test_findall_and_search():
    text = "10.5% a; 20.25% b;"
    assert [r.fixed for r in parse.findall("{p:%} {};", text)] == [("a",), ("b",)]
    assert parse.search("{p:size}-{:d}", "in 3x4-5!", extra_types={"size": size}).fixed == (5,)


def test_anonymous_only():
    assert parse.parse("{:%} {}", "12.5% VAT").fixed == (0.125, "VAT")
    assert parse.parse("{:g} {:size} {}", "1.5 3x4 x", {"size": size}).fixed == (1.5, (3, 4), "x")

"""Legacy colours whose components are longer than eight digits."""

import pytest

import webcolors


def of(red, green, blue):
    """A legacy colour of three components."""
    return "#" + red + green + blue


@pytest.mark.parametrize(
    ("value", "color"),
    [
        (of("0000000000f1", "0000000000e2", "0000000000d3"), (0xF1, 0xE2, 0xD3)),
        (of("912345678", "987654321", "9abcdefab"), (0x12, 0x87, 0xAB)),
        (of("ff0012345678", "ff0098765432", "ff00abcdef01"), (0x12, 0x98, 0xAB)),
        (of("ffff00000001", "ffff00000010", "ffff00000100"), (0x00, 0x01, 0x10)),
        (of("1" + "0" * 8, "2" + "0" * 8, "3" + "0" * 8), (0, 0, 0)),
        (of("a" * 34 + "12345678", "b" * 34 + "23456789", "c" * 34 + "3456789a"), (0x12, 0x23, 0x34)),
        ("x" * 8 + "1" + "x" * 8 + "2" + "x" * 8 + "3", (0x01, 0x02, 0x03)),
    ],
)
def test_leading_digits_go(value, color):
    assert webcolors.html5_parse_legacy_color(value) == color


@pytest.mark.parametrize(
    ("value", "color"),
    [
        (of("12345678", "98765432", "abcdef01"), (0x12, 0x98, 0xAB)),
        (of("00000012", "00000098", "000000ab"), (0x12, 0x98, 0xAB)),
        (of("0123", "0456", "0789"), (0x12, 0x45, 0x78)),
    ],
)
def test_up_to_eight_digits(value, color):
    assert webcolors.html5_parse_legacy_color(value) == color

import pytest

from slugify import slugify

TEXT = "one two three four five"


def modern(text, **kwargs):
    return slugify(text, algorithm="modern", **kwargs)


@pytest.mark.parametrize("word_boundary", [False, True])
@pytest.mark.parametrize("separator", ["__", "<sep>"])
def test_never_longer_than_asked(separator, word_boundary):
    for max_length in range(1, 45):
        for save_order in (False, True):
            options = {"separator": separator, "word_boundary": word_boundary, "save_order": save_order}
            assert len(modern(TEXT, max_length=max_length, **options)) <= max_length


def test_hard_cut_uses_the_whole_budget():
    assert modern(TEXT, max_length=20, separator="__") == "one__two__three__fou"
    assert modern(TEXT, max_length=24, separator="__") == "one__two__three__four__f"
    assert modern(TEXT, max_length=27, separator="__") == "one__two__three__four__five"
    assert modern(TEXT, max_length=23, separator="__") == "one__two__three__four"


def test_words_use_the_whole_budget():
    assert modern(TEXT, max_length=20, separator="__", word_boundary=True) == "one__two__three"
    assert modern(TEXT, max_length=21, separator="__", word_boundary=True) == "one__two__three__four"
    assert modern(TEXT, max_length=14, separator="__", word_boundary=True) == "one__two__four"
    assert modern(TEXT, max_length=14, separator="__", word_boundary=True, save_order=True) == "one__two"


def test_empty_separator_costs_nothing():
    assert modern(TEXT, max_length=19, separator="") == "onetwothreefourfive"
    assert modern(TEXT, max_length=18, separator="") == "onetwothreefourfiv"
    assert modern(TEXT, max_length=19, separator="", word_boundary=True) == "onetwothreefourfive"
    assert modern(TEXT, max_length=15, separator="", word_boundary=True) == "onetwothreefour"


def test_unicode_words_count_alike():
    assert modern("один два три", max_length=11, separator="::", allow_unicode=True) == "один::два"
    assert modern("один два три", max_length=12, separator="::", allow_unicode=True) == "один::два::т"


def test_one_character_separators():
    assert modern(TEXT, max_length=20, separator="_") == "one_two_three_four_f"
    assert modern(TEXT, max_length=20, separator="_", word_boundary=True) == "one_two_three_four"

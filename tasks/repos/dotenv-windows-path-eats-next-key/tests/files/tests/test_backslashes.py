"""Values with backslashes: written by set_key, and written by hand."""

import io

import pytest

import dotenv

ENDS = ["C:\\app\\", "\\", "\\\\", "'\\", "\\\\'\\", "two\nlines\\"]
PAIRS = ["\\\\server\\data", "a\\\\b", "C:\\\\'s", "x\\\\\\\\y"]
OTHERS = ["it's a \\ and a '", "\\'", '\\"quoted\\"', "tab\\t and \\n stay"]


@pytest.mark.parametrize("values", [ENDS, PAIRS, OTHERS], ids=["at-the-end", "doubled", "elsewhere"])
def test_value_survives_writing_and_reading(tmp_path, values):
    path = tmp_path / ".env"
    for value in values:
        path.write_text("FIRST='1'\n")
        dotenv.set_key(path, "KEY", value)
        dotenv.set_key(path, "LAST", "'z'")
        assert dotenv.dotenv_values(path, interpolate=False) == {"FIRST": "1", "KEY": value, "LAST": "'z'"}
        assert dotenv.get_key(path, "LAST") == "'z'"


def test_all_values_in_one_file(tmp_path):
    path = tmp_path / ".env"
    wanted = {f"K{number}": value for number, value in enumerate(ENDS + PAIRS + OTHERS)}
    for key, value in wanted.items():
        dotenv.set_key(path, key, value)
    assert dotenv.dotenv_values(path, interpolate=False) == wanted
    for key, value in reversed(wanted.items()):
        dotenv.set_key(path, key, value + "\\")
    assert dotenv.dotenv_values(path, interpolate=False) == {key: value + "\\" for key, value in wanted.items()}


def test_unset_leaves_the_neighbours(tmp_path):
    path = tmp_path / ".env"
    for key, value in {"A": "x\\", "B": "y\\", "C": "z"}.items():
        dotenv.set_key(path, key, value)
    dotenv.unset_key(path, "B")
    assert dotenv.dotenv_values(path) == {"A": "x\\", "C": "z"}


@pytest.mark.parametrize("quote", ["'", '"'], ids=["single", "double"])
def test_escaped_backslash_before_the_closing_quote(quote):
    text = f"A={quote}C:\\\\app\\\\{quote}\nB={quote}b{quote} # {quote}\n"
    assert dotenv.dotenv_values(stream=io.StringIO(text)) == {"A": "C:\\app\\", "B": "b"}


@pytest.mark.parametrize("quote", ["'", '"'], ids=["single", "double"])
def test_escaped_backslash_then_escaped_quote(quote):
    text = f"A={quote}x\\\\\\{quote}y{quote}\nB={quote}b{quote}\n"
    assert dotenv.dotenv_values(stream=io.StringIO(text)) == {"A": f"x\\{quote}y", "B": "b"}


def test_lone_backslash_is_itself():
    text = "A='C:\\app'\nB=\"C:\\Users\"\nC=C:\\plain\\\nD='d'\n"
    assert dotenv.dotenv_values(stream=io.StringIO(text)) == {
        "A": "C:\\app",
        "B": "C:\\Users",
        "C": "C:\\plain\\",
        "D": "d",
    }

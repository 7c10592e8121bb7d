import re

from tabulate import tabulate

BOLD, RED, GREEN, RESET = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"


def painted(line):
    """Every visible character of a line, with the codes that are active there."""
    active, chars = [], []
    for code, char in re.findall("(\x1b\\[\\d+m)|(.)", line):
        if code == RESET:
            active = []
        elif code:
            active.append(code)
        elif char != " ":
            chars.append((char, frozenset(active)))
    assert not active, "the line ends with an active code"
    return chars


def words(text):
    """[(text of the same colour, its codes)] over all lines of a table."""
    runs = []
    for line in text.splitlines():
        for char, codes in painted(line):
            if runs and runs[-1][1] == codes:
                runs[-1] = (runs[-1][0] + char, codes)
            else:
                runs.append((char, codes))
    return runs


def plain(*codes):
    return frozenset(codes)


def table(rows, width=8, **kwargs):
    return tabulate(rows, tablefmt="plain", maxcolwidths=width, **kwargs)


def test_reset_ends_every_code():
    text = table([[f"{BOLD}{RED}broken{RESET} since yesterday"]])
    assert words(text) == [("broken", plain(BOLD, RED)), ("sinceyesterday", plain())]


def test_reset_ends_three_codes_set_on_other_lines():
    text = table([[f"{BOLD}first {RED}second {GREEN}third{RESET} fourth fifth"]])
    assert words(text)[-1] == ("fourthfifth", plain())
    assert [word for word, _ in words(text)] == ["first", "second", "third", "fourthfifth"]


def test_unclosed_colour_ends_with_its_cell():
    text = table([[f"{GREEN}fine and well"], ["unknown thing"]])
    assert words(text) == [("fineandwell", plain(GREEN)), ("unknownthing", plain())]


def test_unclosed_colour_keeps_to_its_column():
    lines = table([[f"{RED}one", "two", "three"], ["four", "five", "six"]]).splitlines()
    assert painted(lines[0]) == [(c, plain(RED)) for c in "one"] + [(c, plain()) for c in "twothree"]
    assert painted(lines[1]) == [(c, plain()) for c in "fourfivesix"]


def test_headers_too():
    text = table([["body text", "more text"]], headers=[f"{BOLD}long header", "other header"], maxheadercolwidths=6)
    assert {char for line in text.splitlines() for char, codes in painted(line) if codes} == set("longheader")


def test_nothing_is_remembered_from_the_cell_before():
    rows = [[f"{BOLD}{GREEN}a b c d e f g h i{RESET} j"], ["k l m n o p q r s t"]]
    assert words(table(rows))[-1] == ("jklmnopqrst", plain())


def test_colour_goes_on_within_its_cell():
    text = table([[f"{RED}first line\nsecond line{RESET} end"]])
    assert words(text) == [("firstlinesecondline", plain(RED)), ("end", plain())]

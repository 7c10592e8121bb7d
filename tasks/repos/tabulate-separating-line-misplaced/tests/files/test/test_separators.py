from tabulate import SEPARATING_LINE, tabulate


def lines(rows, **kwargs):
    return [line.strip() for line in tabulate(rows, **kwargs).splitlines()]


def is_rule(line):
    return bool(line) and set(line) <= {"-", " "}


def layout(rows, **kwargs):
    """The first word of every line, '-' for a separating line."""
    return "".join("-" if is_rule(line) else line.split()[0] for line in lines(rows, **kwargs))


def test_two_separators():
    rows = [["a", 1], ["b", 2], SEPARATING_LINE, ["c", 3], SEPARATING_LINE, ["d", 4]]
    assert layout(rows, headers=["h", "n"]) == "h-ab-c-d"


def test_many_separators():
    rows = [["a", 1]]
    for name in "bcdef":
        rows += [SEPARATING_LINE, [name, 1]]
    assert layout(rows, headers=["h", "n"]) == "h-a-b-c-d-e-f"


def test_separators_side_by_side_and_at_the_ends():
    rows = [SEPARATING_LINE, ["a", 1], SEPARATING_LINE, SEPARATING_LINE, ["b", 2], ["c", 3], SEPARATING_LINE]
    assert layout(rows, headers=["h", "n"]) == "h--a--bc-"


def test_own_index():
    rows = [["a", 1], SEPARATING_LINE, ["b", 2], ["c", 3], SEPARATING_LINE, ["d", 4]]
    assert layout(rows, headers=["h", "n"], showindex=iter("xyzw")) == "h-x-yz-w"


def test_wrapped_columns():
    rows = [["a", "one two"], SEPARATING_LINE, ["b", "three"], SEPARATING_LINE, ["c", "four"]]
    assert lines(rows, headers=["h", "text"], maxcolwidths=[None, 3], tablefmt="simple") == [
        "h    text",
        "---  ------",
        "a    one",
        "two",
        "---  ------",
        "b    thr",
        "ee",
        "---  ------",
        "c    fou",
        "r",
    ]


def test_one_separator():
    rows = [["a", 1], SEPARATING_LINE, ["b", 2], ["c", 3]]
    assert layout(rows, headers=["h", "n"]) == "h-a-bc"

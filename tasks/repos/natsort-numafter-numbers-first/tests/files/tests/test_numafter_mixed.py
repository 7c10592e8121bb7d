from natsort import index_natsorted, natsort_keygen, natsorted, ns


def test_numbers_of_every_type_come_last():
    cells = ["total", 5, "12", "area", 2.5, "7", 40]
    assert natsorted(cells, alg=ns.NUMAFTER) == ["area", "total", 2.5, 5, "7", "12", 40]


def test_reverse_puts_them_first():
    cells = ["b", 3, "a", "2"]
    assert natsorted(cells, alg=ns.NUMAFTER, reverse=True) == [3, "2", "b", "a"]


def test_none_and_nan_move_with_the_numbers():
    nan = float("nan")
    result = natsorted(["x", 1, None, "y", nan, "0"], alg=ns.NUMAFTER)
    assert result[:2] == ["x", "y"]
    assert result[2] is nan
    assert result[3:] == [None, "0", 1]
    result = natsorted(["x", 1, None, nan], alg=ns.NUMAFTER | ns.NANLAST)
    assert result[0] == "x"
    assert result[1] == 1
    assert result[2] is None
    assert result[3] is nan


def test_combined_with_path_and_real():
    cells = ["b/2", 4, "a/10", -1.5, "3"]
    assert natsorted(cells, alg=ns.NUMAFTER | ns.PATH) == ["a/10", "b/2", -1.5, "3", 4]
    cells = ["x", -1.5, "-2.5", 3]
    assert natsorted(cells, alg=ns.NUMAFTER | ns.REAL) == ["x", "-2.5", -1.5, 3]


def test_nested_values():
    rows = [("a", 1), ("a", "z"), ("a", "3")]
    assert natsorted(rows, alg=ns.NUMAFTER) == [("a", "z"), ("a", 1), ("a", "3")]


def test_keygen_and_index():
    cells = ["b", 3, "a", "2"]
    assert sorted(cells, key=natsort_keygen(alg=ns.NUMAFTER)) == ["a", "b", "2", 3]
    assert index_natsorted(cells, alg=ns.NUMAFTER) == [2, 0, 3, 1]


def test_without_the_option():
    nan = float("nan")
    result = natsorted(["total", 5, "12", None, "area", 2.5, nan])
    assert result[0] is nan
    assert result[1:] == [None, 2.5, 5, "12", "area", "total"]


def test_strings_only():
    assert natsorted(["5", "x2", "x10", "1"], alg=ns.NUMAFTER) == ["x2", "x10", "1", "5"]

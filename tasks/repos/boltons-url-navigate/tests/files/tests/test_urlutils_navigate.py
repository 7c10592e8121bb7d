import pytest

from boltons.urlutils import URL

BASE = "http://a/b/c/d;p?q"
NORMAL = {
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q#s",
    "g#s": "http://a/b/c/g#s",
    "g?y#s": "http://a/b/c/g?y#s",
    ";x": "http://a/b/c/;x",
    "g;x?y#s": "http://a/b/c/g;x?y#s",
    "": "http://a/b/c/d;p?q",
}
DOTS = {
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../g": "http://a/g",
    "../../../g": "http://a/g",
    "../../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g.": "http://a/b/c/g.",
    ".g": "http://a/b/c/.g",
    "..g": "http://a/b/c/..g",
    "./../g": "http://a/b/g",
    "./g/.": "http://a/b/c/g/",
    "g/./h": "http://a/b/c/g/h",
    "g/../h": "http://a/b/c/h",
    "g;x=1/../y": "http://a/b/c/y",
}


def test_references_of_the_rfc():
    for link, expected in NORMAL.items():
        assert URL(BASE).navigate(link).to_text() == expected


def test_dots_of_the_rfc():
    for link, expected in DOTS.items():
        assert URL(BASE).navigate(link).to_text() == expected
        assert URL(BASE).navigate(URL(link)).to_text() == expected


def test_authority_is_kept():
    url = URL("ftp://ann:secret@Example.com:2121/pub/a.txt")
    assert url.navigate("b.txt").to_text() == "ftp://ann:secret@example.com:2121/pub/b.txt"
    assert url.navigate("/").to_text() == "ftp://ann:secret@example.com:2121/"
    assert url.navigate("#x").to_text() == "ftp://ann:secret@example.com:2121/pub/a.txt#x"


def test_absolute_destination():
    url, dest = URL("http://u:p@a:8080/b?q#f"), URL("https://other.org/x/y?z=1#w")
    for result in (url.navigate(dest), url.navigate(dest.to_text())):
        assert result is not dest
        assert result.to_text() == "https://other.org/x/y?z=1#w"
        result.query_params["z"] = "2"
    assert dest.to_text() == "https://other.org/x/y?z=1#w"


def test_nothing_is_changed_and_steps_can_be_chained():
    url, dest = URL("http://a/b/c?x=1&y=2#f"), URL("../d")
    result = url.navigate(dest)
    assert result.navigate("e/").navigate("f").to_text() == "http://a/e/f"
    other = url.navigate("#g")
    other.query_params["x"] = "9"
    assert url.to_text() == "http://a/b/c?x=1&y=2#f"
    assert dest.to_text() == "../d"


def test_base_without_a_path():
    assert URL("http://a").navigate("b").to_text() == "http://a/b"
    assert URL("http://a?q=1#f").navigate("b/../c").to_text() == "http://a/c"
    assert URL("http://a?q=1#f").navigate("#g").to_text() == "http://a?q=1#g"


@pytest.mark.parametrize("with_case", [False, True])
def test_normalize(with_case):
    for path, expected in [
        ("/a/./b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/../../x", "/x"),
        ("/a//b/../c", "/a//c"),
        ("/...a/b..", "/...a/b.."),
    ]:
        url = URL("HTTP://Host.org" + path + "?k=v#f")
        url.normalize(with_case=with_case)
        assert url.to_text().endswith(expected + "?k=v#f")
        assert url.path == expected
        assert url.host == ("host.org" if with_case else "Host.org")

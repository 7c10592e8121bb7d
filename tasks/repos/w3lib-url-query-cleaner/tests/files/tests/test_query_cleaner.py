"""Keeping and removing the parameters of a query."""

import w3lib.url

URL = "http://example.org/a?id=200&foo=bar&name=wired"


def clean(*args, **kwargs):
    result = w3lib.url.url_query_cleaner(*args, **kwargs)
    assert type(result) is str
    return result


def test_keep_and_remove():
    assert clean(URL, ["name", "id"]) == "http://example.org/a?id=200&name=wired"
    assert clean(URL, ("foo",), remove=True) == "http://example.org/a?id=200&name=wired"
    assert clean(URL, ["foo", "name"]) == "http://example.org/a?foo=bar&name=wired"
    assert "url_query_cleaner" in w3lib.url.__all__


def test_names():
    assert clean("p?foo=bar&foobar=x&o=1", "foo") == "p?foo=bar"
    assert clean("p?foo=bar&foobar=x&o=1", "foo", remove=True) == "p?foobar=x&o=1"
    assert clean("p?a%20b=1&a+b=2&A=3&a=4", ["a%20b", "a"]) == "p?a%20b=1&a=4"
    assert clean("p?=1&a=2", ["a"], remove=True) == "p?=1"


def test_empty_list():
    assert clean(URL) == "http://example.org/a"
    assert clean(URL, []) == "http://example.org/a"
    assert clean("p?a=1&&b&a=2", remove=True) == "p?a=1&b"


def test_parts_stay_as_written():
    assert clean("p?id&x=1&id2=&id3=a=b&id4=%7e+", ["id", "id2", "id3", "id4"]) == "p?id&id2=&id3=a=b&id4=%7e+"
    assert clean("p?&a=1&&b=2&", ["a", "b"]) == "p?a=1&b=2"


def test_nothing_left():
    for url in ("p?", "p?&", "p", "p?b=1", "p?&b&"):
        assert clean(url, ["a"]) == "p"
        assert clean(url, ["b"], remove=True) == "p"
    assert clean("?b=1", ["a"]) == ""


def test_repeated_names():
    url = "p?d=1&e=b&d=2&d=3&e=c&other=o"
    assert clean(url, ["d"]) == "p?d=1"
    assert clean(url, ["d"], unique=False) == "p?d=1&d=2&d=3"
    assert clean(url, ["d"], remove=True) == "p?e=b&other=o"
    assert clean(url, ["d"], remove=True, unique=False) == "p?e=b&e=c&other=o"
    assert clean("p?d&d=2&d=", ["d"]) == "p?d"


def test_separators():
    assert clean("p?id=2;foo=bar;name=w", ["id", "foo"], sep=";") == "p?id=2;foo=bar"
    assert clean("p?id:2|foo:b=c|id", ["id"], sep="|", kvsep=":", unique=False) == "p?id:2|id"
    assert clean("p?id=2&foo:x", ["foo"], kvsep=":") == "p?foo:x"
    assert clean("p?a==1||b==2", ["b"], sep="||", kvsep="==") == "p?b==2"


def test_fragments_and_bytes():
    assert clean("p?a=1#b", ["a"]) == "p?a=1"
    assert clean("p?a=1#b?a=2", ["a"], keep_fragments=True) == "p?a=1#b?a=2"
    assert clean("p?b=1#x", ["a"], keep_fragments=True) == "p#x"
    assert clean("p?b=1#x", keep_fragments=True) == "p#x"
    assert clean("p#x?a=1", ["a"]) == "p"
    assert clean("p?a=1#", ["a"], keep_fragments=True) == "p?a=1"
    assert clean("p?a=1?b=2&c", ["a"]) == "p?a=1?b=2"
    assert clean("/ü?é=1&b=2#x".encode(), ["é"], keep_fragments=True) == "/ü?é=1#x"

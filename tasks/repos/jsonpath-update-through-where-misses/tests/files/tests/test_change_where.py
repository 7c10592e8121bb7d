"""Changing the nodes that where and wherenot expressions find."""

import copy

import pytest

from jsonpath_ng import parse
from jsonpath_ng.ext import parse as ext_parse

JOBS = {
    "jobs": [{"id": 1}, {"id": 2, "done": True}, {"id": 3}, {"id": 4, "done": True}, {"id": 5, "done": False}],
    "b": {"c": "top"},
    "a": {"b": {"c": 1}, "x": {"b": 2}},
}


def changed(path, value):
    """What *value* makes of the value at *path*: a copy of JOBS changed by hand."""
    data = copy.deepcopy(JOBS)
    node = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return data


def both(expression):
    return [parse(expression), ext_parse(expression)]


def test_update_in_a_nested_object():
    for path in both("(a.b) where c"):
        data = copy.deepcopy(JOBS)
        assert path.update(data, "new") is data
        assert data == changed(("a", "b"), "new")
    for path in both("(a.x) wherenot c"):
        assert path.update(copy.deepcopy(JOBS), 0) == changed(("a", "x"), 0)


@pytest.mark.parametrize("parser", [parse, ext_parse], ids=["base", "ext"])
def test_elements_of_a_list(parser):
    for expression, indices in (
        ("jobs[*] where done", [1, 3, 4]),
        ("jobs[*] wherenot done", [0, 2]),
        ("jobs[-2] where done", [3]),
        ("jobs[4,0,1] where done", [1, 4]),
        ("jobs[1:4] where done", [1, 3]),
    ):
        path = parser(expression)
        updated = path.update(copy.deepcopy(JOBS), "x")
        assert updated == JOBS | {"jobs": ["x" if i in indices else job for i, job in enumerate(JOBS["jobs"])]}
        seen = []
        filtered = path.filter(lambda job, seen=seen: seen.append(job["id"]) or True, copy.deepcopy(JOBS))
        assert filtered == JOBS | {"jobs": [job for i, job in enumerate(JOBS["jobs"]) if i not in indices]}
        assert sorted(seen) == [i + 1 for i in indices]


def test_filter_asks_the_function():
    for path in both("jobs[*] where done"):
        data = path.filter(lambda job: job["id"] > 2 and job["done"], copy.deepcopy(JOBS))
        assert [job["id"] for job in data["jobs"]] == [1, 2, 3, 5]
    for path in both("(a.*) where c"):
        assert path.filter(lambda node: node["c"] == 1, copy.deepcopy(JOBS))["a"] == {"x": {"b": 2}}
        assert path.filter(lambda node: node["c"] == 2, copy.deepcopy(JOBS)) == JOBS


def test_callable_value():
    calls = []

    def double(value, parent, key):
        calls.append((value["id"], parent is data["jobs"], key))
        return value["id"] * 2

    data = copy.deepcopy(JOBS)
    parse("jobs[*] wherenot done").update(data, double)
    assert calls == [(1, True, 0), (3, True, 2)]
    assert data["jobs"][:3] == [2, {"id": 2, "done": True}, 6]


def test_descendants():
    for path in both("$..* where c"):
        data = path.update(copy.deepcopy(JOBS), None)
        assert data == JOBS | {"b": None, "a": {"b": None, "x": {"b": 2}}}
        data = path.filter(lambda node: True, copy.deepcopy(JOBS))
        assert data == {"jobs": JOBS["jobs"], "a": {"x": {"b": 2}}}


def test_part_of_a_longer_path():
    teams = {"teams": [{"open": 1, "members": [{"n": 1}, {"n": 2, "done": 1}]}, {"members": [{"n": 3, "done": 1}]}]}
    data = parse("teams[*].(members[*] where done)").update(copy.deepcopy(teams), 0)
    assert [team["members"] for team in data["teams"]] == [[{"n": 1}, 0], [0]]
    data = parse("teams[*].(members[*] where done)").filter(lambda member: True, copy.deepcopy(teams))
    assert [team["members"] for team in data["teams"]] == [[{"n": 1}], []]
    data = parse("(teams[*] where open).members[*]").update(copy.deepcopy(teams), 0)
    assert [team["members"] for team in data["teams"]] == [[0, 0], [{"n": 3, "done": 1}]]


def test_no_match_changes_nothing():
    for expression in ("jobs[*] where nothing", "(b.c) where d", "z where y", "jobs[9] wherenot done"):
        for path in both(expression):
            assert path.update(copy.deepcopy(JOBS), 0) == JOBS
            assert path.filter(lambda node: True, copy.deepcopy(JOBS)) == JOBS

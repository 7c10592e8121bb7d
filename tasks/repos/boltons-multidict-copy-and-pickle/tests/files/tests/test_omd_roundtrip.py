import copy
import pickle

import pytest

from boltons.dictutils import OMD, OrderedMultiDict
from boltons.urlutils import URL, QueryParamDict

ITEMS = [("tag", "a"), ("page", 1), ("tag", "b"), ("tag", "c"), ("empty", None)]


class Headers(OrderedMultiDict):
    pass


def check(clone, original):
    assert type(clone) is type(original)
    assert clone is not original
    assert clone == original
    assert clone.items(multi=True) == original.items(multi=True)
    assert clone.todict(multi=True) == original.todict(multi=True)
    assert list(reversed(clone)) == list(reversed(original))
    assert len(clone) == len(original)


@pytest.mark.parametrize("cls", [OMD, Headers, QueryParamDict])
def test_pickle(cls):
    original = cls(ITEMS)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        check(pickle.loads(pickle.dumps(original, protocol)), original)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy])
def test_copy_module(clone):
    original = OMD(ITEMS)
    check(clone(original), original)
    check(clone(Headers(ITEMS)), Headers(ITEMS))


def test_clone_is_independent():
    original = OMD([("a", [1]), ("b", [2]), ("a", [3])])
    shallow, deep = copy.copy(original), copy.deepcopy(original)
    original.add("a", [4])
    original.getlist("a")[0].append(9)
    assert shallow.items(multi=True) == [("a", [1, 9]), ("b", [2]), ("a", [3])]
    assert deep.items(multi=True) == [("a", [1]), ("b", [2]), ("a", [3])]
    assert shallow.poplast("a") == [3]
    assert original.getlist("a") == [[1, 9], [3], [4]]


def test_nested_in_other_objects():
    url = URL("http://localhost/?x=1&y=2&x=3")
    data = {"params": url.query_params, "list": [OMD(ITEMS)]}
    clone = pickle.loads(pickle.dumps(data))
    assert clone["params"].items(multi=True) == [("x", "1"), ("y", "2"), ("x", "3")]
    assert copy.deepcopy(data)["list"][0].items(multi=True) == ITEMS


def test_single_values_and_empty():
    for items in ([], [("a", 1), ("b", 2)]):
        original = OMD(items)
        check(pickle.loads(pickle.dumps(original)), original)
        check(copy.deepcopy(original), original)

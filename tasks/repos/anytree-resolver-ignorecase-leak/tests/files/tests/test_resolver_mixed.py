import pytest

from anytree import Node, Resolver, ResolverError


def tree(*names):
    top = Node("Top")
    for name in names:
        Node(name, parent=top)
    return top


def names(nodes):
    return [node.name for node in nodes]


def test_exact_after_ignorecase():
    top = tree("Kilo", "KING", "kite")
    assert names(Resolver("name", ignorecase=True).glob(top, "ki*")) == ["Kilo", "KING", "kite"]
    assert names(Resolver("name").glob(top, "ki*")) == ["kite"]


def test_ignorecase_after_exact():
    top = tree("Mike", "MINT", "mill")
    assert names(Resolver("name").glob(top, "mi*")) == ["mill"]
    assert names(Resolver("name", ignorecase=True).glob(top, "mi*")) == ["Mike", "MINT", "mill"]


def test_resolver_changed_after_use():
    top = tree("Oscar", "oslo")
    resolver = Resolver("name")
    assert names(resolver.glob(top, "os?*")) == ["oslo"]
    resolver.ignorecase = True
    assert names(resolver.glob(top, "os?*")) == ["Oscar", "oslo"]
    resolver.ignorecase = False
    assert names(resolver.glob(top, "os?*")) == ["oslo"]


def test_names_without_wildcards():
    top = tree("Papa")
    assert names(Resolver("name", ignorecase=True).glob(top, "papa")) == ["Papa"]
    with pytest.raises(ResolverError):
        Resolver("name").glob(top, "papa")


def test_root_of_an_absolute_path():
    top = tree("quiz")
    assert names(Resolver("name", ignorecase=True).glob(top, "/tOp/quiz")) == ["quiz"]
    with pytest.raises(ResolverError):
        Resolver("name").glob(top, "/tOp/quiz")


def test_many_patterns_in_turn():
    top = tree(*(f"Romeo{n}" for n in range(30)))
    exact, relaxed = Resolver("name"), Resolver("name", ignorecase=True)
    for _ in range(2):
        for n in range(30):
            assert names(relaxed.glob(top, f"?omeo{n}")) == [f"Romeo{n}"]
            assert names(relaxed.glob(top, f"r?meo{n}")) == [f"Romeo{n}"]
            assert names(exact.glob(top, f"r?meo{n}")) == []


def test_pattern_is_compiled_once():
    top = tree("sierra")
    resolver = Resolver("name")
    assert names(resolver.glob(top, "s*a")) == names(resolver.glob(top, "s*a")) == ["sierra"]

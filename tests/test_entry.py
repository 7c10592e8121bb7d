from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentgym.entry import make_model, make_scaffold, names
from agentgym.errors import UsageError

CODE = """
class Echo:
    name = "echo"
    def run(self, episode, model): ...

class Parrot:
    def __init__(self, name): self.name = name
    @classmethod
    def from_spec(cls, rest, options): return cls(f"{rest} {dict(options)}")
"""
ENTRY_POINTS = """
[agentgym.scaffolds]
echo = demo_plugin:Echo
gone = demo_plugin:Gone
broken = demo_no_such_module:Thing
twice = demo_plugin:Echo

[agentgym.models]
parrot = demo_plugin:Parrot
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two installed packages: `demo` adds scaffolds and a model, `rival` claims one of its names."""
    (tmp_path / "demo_plugin.py").write_text(CODE)
    for package, text in {"demo": ENTRY_POINTS, "rival": "[agentgym.scaffolds]\ntwice = demo_plugin:Parrot\n"}.items():
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "demo_plugin", raising=False)


def test_what_other_packages_register_is_found() -> None:
    assert {"echo", "gone", "broken", "twice"} <= set(names("agentgym.scaffolds"))
    assert make_scaffold("echo").name == "echo"
    assert make_model("parrot:polly@home", {"strict": True}).name == "polly@home {'strict': True}"
    assert make_model("parrot:a:b").name == "a:b {}"


def test_our_own_are_registered() -> None:
    assert {"bash", "oracle", "nop"} <= set(names("agentgym.scaffolds"))
    assert {"endpoint", "scripted", "replay"} <= set(names("agentgym.models"))
    assert [make_scaffold(name).name for name in ("bash", "oracle", "nop")] == ["bash", "oracle", "nop"]
    model = make_model("endpoint:gpt-x@http://localhost:8000/v1")
    assert model.name == "gpt-x"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ecko", "no scaffold is called 'ecko' (nearest known scaffold: \"echo\")"),
        ("zzzzzz", "no scaffold is called 'zzzzzz' (known: "),
        ("gone", "scaffold 'gone' is registered as demo_plugin:Gone (package demo) but cannot be loaded: "),
        ("broken", "cannot be loaded: No module named 'demo_no_such_module'"),
    ],
)
def test_a_scaffold_that_is_not_there_is_one_clear_line(name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_scaffold(name)
    assert said in str(caught.value)


def test_two_packages_under_one_name_are_a_conflict() -> None:
    with pytest.raises(UsageError, match=r"'twice' is registered twice: .*\(package demo\).*; uninstall one"):
        make_scaffold("twice")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("parot:x", "no model is called 'parot' (nearest known model: \"parrot\")"),
        ("parrot", "model 'parrot' says no more than its kind; wanted KIND:REST"),
        ("parrot:", "wanted KIND:REST"),
    ],
)
def test_a_model_spec_that_is_wrong_is_one_clear_line(spec: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_model(spec)
    assert said in str(caught.value)

"""What is installed: the wheel's contents, what an import loads, entry points, and that no stranger has our names."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.require import unavailable

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("agentgym", "scaffolds", "policy", "kernels", "rl")

WHERE = """
import importlib.util, json, sys
print(json.dumps({name: getattr(importlib.util.find_spec(name), "origin", None) for name in sys.argv[1:]}))
"""
LOADED = "import agentgym, json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def outside(folder: Path, code: str, *arguments: str, path: Path | None = None) -> str:
    """What a Python that is started in another folder prints."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this tree."""
    if importlib.util.find_spec("hatchling") is None:
        unavailable("hatchling", "not installed, and building a wheel without it needs the network")
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [found] = target.glob("*.whl")
    return found


def test_the_wheel_holds_every_file(wheel: Path) -> None:
    """Templates, prompts and py.typed as well as code; and nothing that is not ours."""
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == files
    assert {"agentgym/py.typed", "agentgym/templates/test.sh", "scaffolds/prompts/bash_system.md"} <= held


def test_the_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """Unpacked somewhere, it is what is imported, and finds its templates and prompts."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    found = json.loads(outside(tmp_path, WHERE, *PACKAGES, path=site))
    assert found == {package: str(site / package / "__init__.py") for package in PACKAGES}
    code = "from scaffolds.prompts import render; import agentgym.cli.main; print(render('bash_system.md')[:9])"
    assert outside(tmp_path, code, path=site).strip()


def test_nobody_else_has_our_names(tmp_path: Path) -> None:
    """`pip install kernels`, for one, brings another package of that name."""
    origins = json.loads(outside(tmp_path, WHERE, *PACKAGES))
    ours = Path(origins["agentgym"] or ROOT / "agentgym" / "__init__.py").parents[1]
    shadowed = {package: origin for package, origin in origins.items() if origin != str(ours / package / "__init__.py")}
    if shadowed:
        lines = [f"found another `{name}` at {origin}, wanted ours in {ours}" for name, origin in shadowed.items()]
        pytest.fail("; ".join(lines) + ": uninstall it", pytrace=False)


def test_importing_agentgym_is_light(tmp_path: Path) -> None:
    heavy = {"torch", "docker", "mcp", "git", "typer", "rich", "httpx", "pydantic", *PACKAGES} - {"agentgym"}
    assert heavy.isdisjoint(json.loads(outside(tmp_path, LOADED)))
    environment = LOADED.replace("import agentgym,", "import agentgym.gym, agentgym.rollout,")
    assert {"torch", "docker", "mcp", "typer"}.isdisjoint(json.loads(outside(tmp_path, environment)))


def test_importing_registers_the_environment(tmp_path: Path) -> None:
    code = "import agentgym, gymnasium; print(gymnasium.spec('agentgym/Repo-v0').entry_point)"
    assert outside(tmp_path, code).strip() == "agentgym.gym:RepoEnv"


@pytest.mark.parametrize("group", ["agentgym.scaffolds", "agentgym.models", "console_scripts"])
def test_entry_points(group: str) -> None:
    """All that pyproject.toml states are installed, and each leads somewhere."""
    project = PROJECT["project"]
    stated = project["scripts"] if group == "console_scripts" else project["entry-points"][group]
    installed = {entry.name: entry for entry in entry_points(group=group) if entry.name in stated}
    assert {name: entry.value for name, entry in installed.items()} == stated
    for name, entry in installed.items():
        loaded = entry.load()
        assert callable(loaded)
        if group == "agentgym.scaffolds" and not hasattr(loaded, "from_spec"):
            made = loaded()
            assert (made.name, isinstance(made.needs_model, bool)) == (name, True)


@pytest.mark.parametrize(
    "name",
    sorted(
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
        if "__all__" in path.read_text()
    ),
)
def test_exported_names(name: str) -> None:
    """Each exists, once, in order."""
    module = importlib.import_module(name)
    assert [export for export in module.__all__ if not hasattr(module, export)] == []
    assert sorted({*module.__all__}) == sorted(module.__all__)


def test_dependencies_are_none_of_the_strangers() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    stated = [*PROJECT["project"]["dependencies"], *(requirement for extra in extras for requirement in extra)]
    names = {re.split(r"[\[<>=!~; ]", requirement)[0] for requirement in stated}
    assert names.isdisjoint({*PACKAGES} - {"agentgym"})

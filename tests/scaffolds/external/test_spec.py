from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.entry import make_scaffold, names
from agentgym.errors import UsageError
from scaffolds.external import AgentSpec, load_spec
from scaffolds.external.spec import fill

WHOLE = """
name = "mine"
version = "1.2.3"
dialect = "chat"
install = "cp -r /somewhere $PREFIX"
command = ["{prefix}/mine", "--model", "{model}", "{instruction}"]
continue_command = ["{prefix}/mine", "--continue", "{instruction}"]
stdin = ""
[env]
OPENAI_BASE_URL = "{base_url}/v1"
[files]
".mine/settings.json" = '{"key": "{key}", "home": "{home}", "shell": "${model}"}'
"""
SHORT = 'name = "mine"\nversion = "1"\ndialect = "chat"\ncommand = ["mine"]\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_whole_spec_is_read(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, WHOLE))
    assert (spec.name, spec.version, spec.dialect) == ("mine", "1.2.3", "chat")
    assert spec.command == ("{prefix}/mine", "--model", "{model}", "{instruction}")
    assert spec.env == {"OPENAI_BASE_URL": "{base_url}/v1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "not TOML"),
        (SHORT + "comand = []\n", 'comand: unknown key (nearest known key: "command")'),
        (SHORT + "zzz = 1\n", "zzz: unknown key (known: name, version"),
        (SHORT.replace('version = "1"\n', ""), "version: missing"),
        (SHORT.replace('"mine"\n', '"../mine"\n', 1), "name: found '../mine', wanted text that matches"),
        (SHORT.replace('"chat"', '"smoke"'), "dialect: found 'smoke', wanted 'messages', 'chat' or 'responses'"),
        (SHORT.replace('["mine"]', "[]"), "command: found [], wanted one argument or more"),
        (SHORT.replace('["mine"]', '"mine"'), "command: found 'mine', wanted a list of texts"),
        (SHORT.replace('["mine"]', '["mine", 1]'), "command.1: found 1, wanted text"),
        (SHORT + 'stdin = "{instructions}"\n', "stdin: found {instructions}, wanted one of {instruction}, {base_url}"),
        (SHORT + 'env = {A = "{nope}"}\n', "env.A: found {nope}, wanted one of"),
        (
            SHORT.replace('"mine"]', '"bash", "-c", "mine {instruction}"]'),
            "command: found 'mine {instruction}', wanted \"{instruction}\" as an argument of its own",
        ),
        (SHORT + 'files = {"../x" = ""}\n', "files: found '../x', wanted a path relative to the agent's HOME"),
        (SHORT + 'files = {"/etc/x" = ""}\n', "files: found '/etc/x', wanted a path relative to the agent's HOME"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_spec(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read: No such file"):
        load_spec(tmp_path / "none.toml")


def test_values_stand_in_for_placeholders_and_for_nothing_else() -> None:
    values = {"model": 'a "b"', "key": "{model}", "home": "/h"}
    assert fill("{model} {key} ${home} {HOME} {}", values) == 'a "b" {model} ${home} {HOME} {}'
    assert json.loads(fill('{"m": "{model}"}', values, as_json=True)) == {"m": 'a "b"'}


def test_the_install_is_known_by_what_it_is_made_of() -> None:
    spec = AgentSpec.model_validate({"name": "a", "version": "1", "dialect": "chat", "command": ["x"], "install": "y"})
    same = spec.model_copy(update={"command": ("z",), "env": {"A": "1"}})
    assert same.install_key == spec.install_key
    others = {spec.model_copy(update=update).install_key for update in ({"version": "2"}, {"install": "z"})}
    assert len(others | {spec.install_key}) == 3


@pytest.mark.parametrize("name", ["claude-code", "droid", "kilo"])
def test_the_agents_we_ship_are_sound(name: str) -> None:
    scaffold = make_scaffold(name)
    assert scaffold.name == name
    assert name in names("agentgym.scaffolds")
    assert scaffold.needs_model


def test_ones_own_agent_is_named_by_its_file(tmp_path: Path) -> None:
    assert make_scaffold(f"external:{write(tmp_path, SHORT)}").name == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("external", "found scaffold 'external', wanted external:FILE, such as external:my-agent.toml"),
        ("external:", "wanted external:FILE"),
        ("kilo:7", "found scaffold 'kilo:7', wanted kilo alone"),
        ("external:none.toml", "none.toml: cannot be read"),
    ],
)
def test_a_scaffold_spec_that_is_wrong_is_said_in_one_line(name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_scaffold(name)
    assert said in str(caught.value)


def test_the_agent_of_the_documentation_is_sound(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "agents.md").read_text()
    [example] = [block.partition("```")[0] for block in text.split("```toml\n")[1:]]
    assert load_spec(write(tmp_path, example)).name == "mine"

"""Task folders: read, checked, found, written."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.errors import TaskError, UsageError
from agentgym.task import (
    GymMetadata,
    Metadata,
    Package,
    Source,
    TaskConfig,
    TaskParts,
    expand_variables,
    find_tasks,
    load_task,
    write_task,
)
from agentgym.toml import dump_config, parse_config
from tests.tasks import vary

# the folder that Harbor's getting-started page describes
HELLO_WORLD = {
    "task.toml": """\
version = "1.0"

[metadata]
author_name = "Ada Lovelace"
author_email = "ada@example.com"
difficulty = "easy"
category = "programming"
tags = ["trivial"]

[verifier]
timeout_sec = 120.0

[agent]
timeout_sec = 120.0

[environment]
build_timeout_sec = 600.0
cpus = 1
memory = "2G"
storage = "10G"
""",
    "instruction.md": 'Create a file called hello.txt with "Hello, world!" as its content.\n',
    "environment/Dockerfile": "FROM ubuntu:24.04\nWORKDIR /app\n",
    "tests/test.sh": "#!/bin/bash\ngrep -qx 'Hello, world!' hello.txt && echo 1 > /logs/verifier/reward.txt\n",
    "solution/solve.sh": "#!/bin/bash\necho 'Hello, world!' > hello.txt\n",
}

EVERY_KEY = """\
schema_version = "1.4"
source = "terminal-bench/hello"
artifacts = ["/app/out", { source = "/app/logs", destination = "logs" }]
multi_step_reward_strategy = "final"

[task]
name = "some-org/every.key_1"
version = "0.1.0"
description = "Says every key"
keywords = ["a", "b"]
authors = [{ name = "Ada", email = "ada@example.com" }, { name = "Bob" }]

[metadata]
difficulty = "hard"
expert_time_estimate_min = 30.5
released = 2026-01-31

[metadata.agentgym]
suite = "every"
split = "heldout"
kind = "feature"
grading = "diff"
protected = ["tests", "conftest.py"]
test_command = "python -m pytest -q"
tools = ["bash", "edit"]
source = { git = "https://example.com/repo.git", commit = "0123abc" }
licence = "MIT"

[verifier]
timeout_sec = 300
env = { KEY = "${API_KEY:-none}" }
user = "root"
network_mode = "no-network"
environment_mode = "separate"
environment = { docker_image = "verifier:1", memory_mb = 512 }
collect = [{ command = "pg_dump > /tmp/db.sql", timeout_sec = 30 }]

[agent]
timeout_sec = 900
user = 1000
allowed_hosts = ["PyPI.example.com.", "10.0.0.1", "pypi.example.com"]

[solution]
env = { TOKEN = "${TOKEN}" }

[environment]
build_timeout_sec = 60
docker_image = "image:tag"
cpus = 2
memory_mb = 4096
storage_mb = 20480
gpus = 1
gpu_types = ["H100"]
network_mode = "public"
env = { A = "${A:-1}" }
skills_dir = "/skills"
workdir = "/app"
os = "linux"

[environment.healthcheck]
command = "true"
interval_sec = 0
timeout_sec = 2
start_period_sec = 1
start_interval_sec = 1
retries = 2

[[environment.mcp_servers]]
name = "remote"
transport = "streamable-http"
url = "http://mcp:8000/mcp"

[[environment.mcp_servers]]
name = "local"
transport = "stdio"
command = "server"
args = ["--quiet"]

[[steps]]
name = "01-first"
min_reward = 0.5
artifacts = ["/app/first"]
agent = { timeout_sec = 60 }
verifier = { env = { MORE = "1" } }
healthcheck = { command = "test -f ready" }

[[steps]]
name = "02-second"
min_reward = { safety = 1.0 }
agent = { network_mode = "no-network" }
verifier = { timeout_sec = 10, env = { KEY = "own" } }
"""


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def with_toml(folder: Path, text: str) -> Path:
    return make(folder, {**HELLO_WORLD, "task.toml": text})


def every_key(folder: Path) -> Path:
    files = {
        "task.toml": EVERY_KEY,
        "tests/helper.sh": "true\n",
        "environment/Dockerfile": "FROM image:tag\n",
        "steps/01-first/instruction.md": "First.\n",
        "steps/01-first/tests/test.sh": "true\n",
        "steps/01-first/workdir/setup.sh": "true\n",
        "steps/02-second/instruction.md": "Second.\n",
        "steps/02-second/tests/test.sh": "true\n",
        "steps/02-second/solution/solve.sh": "true\n",
    }
    return make(folder, files)


def problem(folder: Path) -> str:
    with pytest.raises(TaskError) as caught:
        load_task(folder)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- reading


def test_a_harbor_task_is_read(tmp_path: Path) -> None:
    task = load_task(make(tmp_path / "hello-world", HELLO_WORLD))
    assert task.name == "hello-world"
    assert task.instruction.startswith("Create a file called hello.txt")
    assert task.config.schema_version == "1.0"
    assert task.config.environment.memory_mb == 2048
    assert task.config.environment.storage_mb == 10240
    assert task.config.agent.timeout_sec == 120
    assert task.metadata["tags"] == ["trivial"]
    assert task.environment_dir == tmp_path / "hello-world/environment"
    assert task.unknown_keys == ()
    assert task.gym == GymMetadata()


def test_a_single_step_task_has_one_step(tmp_path: Path) -> None:
    task = load_task(make(tmp_path / "hello-world", HELLO_WORLD))
    (step,) = task.steps
    assert not task.multi_step
    assert step.instruction == task.instruction
    assert step.min_reward is None
    assert step.config.agent == task.config.agent
    assert step.config.verifier.timeout_sec == 120
    assert step.tests_dir == task.tests_dir == tmp_path / "hello-world/tests"
    assert step.solution_dir == task.solution_dir == tmp_path / "hello-world/solution"
    assert step.workdir is None


def test_every_key_is_known(tmp_path: Path) -> None:
    task = load_task(every_key(tmp_path / "every"))
    config = task.config
    assert task.unknown_keys == ()
    assert task.name == "every.key_1"
    assert task.gym.source == Source(git="https://example.com/repo.git", commit="0123abc")
    assert config.artifacts[1].destination == "logs"  # type: ignore[union-attr]
    assert config.agent.network_mode == "allowlist"
    assert config.agent.allowed_hosts == ("pypi.example.com", "10.0.0.1")
    assert config.agent.network(config.environment) == "allowlist"
    assert config.verifier.network(config.environment) == "no-network"
    assert config.verifier.environment is not None
    assert config.verifier.environment.memory_mb == 512
    assert config.verifier.collect[0].timeout_sec == 30
    assert config.environment.env == {"A": "${A:-1}"}
    assert config.environment.mcp_servers[1].args == ("--quiet",)
    assert config.environment.healthcheck is not None
    assert config.environment.healthcheck.retries == 2


def test_steps_take_what_they_leave_unsaid_from_the_task(tmp_path: Path) -> None:
    task = load_task(every_key(tmp_path / "every"))
    first, second = task.steps
    assert task.multi_step
    assert task.instruction == "First.\n"
    assert (first.name, second.instruction) == ("01-first", "Second.\n")
    assert first.min_reward == 0.5
    assert second.min_reward == {"safety": 1.0}
    assert (first.config.agent.timeout_sec, second.config.agent.timeout_sec) == (60, 900)
    assert first.config.agent.allowed_hosts == ("pypi.example.com", "10.0.0.1")
    assert (second.config.agent.network_mode, second.config.agent.allowed_hosts) == ("no-network", ())
    assert first.config.verifier.env == {"KEY": "${API_KEY:-none}", "MORE": "1"}
    assert second.config.verifier.env == {"KEY": "own"}
    # a step's verifier has its own time, and its own hooks
    assert (first.config.verifier.timeout_sec, second.config.verifier.timeout_sec) == (600, 10)
    assert first.config.verifier.collect == ()
    assert first.workdir == task.path / "steps/01-first/workdir"
    assert (first.solution_dir, second.solution_dir) == (None, task.path / "steps/02-second/solution")
    assert task.tests_dir == task.path / "tests"


def test_a_step_may_use_the_tasks_own_test(tmp_path: Path) -> None:
    text = 'steps = [{ name = "only" }]\n'
    files = {**HELLO_WORLD, "task.toml": text, "steps/only/instruction.md": "Go.\n"}
    (step,) = load_task(make(tmp_path / "t", files)).steps
    assert step.tests_dir is None


@pytest.mark.parametrize(
    ("text", "stated", "network"),
    [
        ("", None, "public"),
        ("allow_internet = true", "public", "public"),
        ("allow_internet = false", "no-network", "no-network"),
        ('allow_internet = false\nnetwork_mode = "public"', "public", "public"),
        ('allow_internet = false\nallowed_hosts = ["a.example"]', "allowlist", "allowlist"),
        ('network_mode = "no-network"', "no-network", "no-network"),
    ],
)
def test_network_mode_tells_what_was_stated_and_what_holds(text: str, stated: str | None, network: str) -> None:
    environment = parse_config(f"[environment]\n{text}\n").environment
    assert environment.network_mode == stated
    assert environment.network == network


@pytest.mark.parametrize(
    ("text", "grading"),
    [
        ("", "layer"),
        ('[verifier]\nenvironment_mode = "separate"', "layer"),
        ('[verifier]\nenvironment_mode = "shared"', "shared"),
        ('[verifier]\nenvironment_mode = "shared"\n[metadata.agentgym]\ngrading = "layer"', "layer"),
        ('[metadata.agentgym]\ngrading = "diff"', "diff"),
    ],
)
def test_grading_is_shared_only_where_the_task_says_so(tmp_path: Path, text: str, grading: str) -> None:
    assert load_task(with_toml(tmp_path / "t", text)).gym.grading == grading


@pytest.mark.parametrize(
    ("size", "mb"), [("4G", 4096), ("512M", 512), ("0.5g", 512), ("2048K", 2), ("1GB", 1024), ("1 GiB", 1024)]
)
def test_old_sizes_become_megabytes(size: str, mb: int) -> None:
    assert parse_config(f'[environment]\nmemory = "{size}"\n').environment.memory_mb == mb


def test_an_image_can_stand_for_a_dockerfile(tmp_path: Path) -> None:
    files = {**HELLO_WORLD, "task.toml": '[environment]\ndocker_image = "a/b:c"\n'}
    del files["environment/Dockerfile"]
    task = load_task(make(tmp_path / "t", files))
    assert task.environment_dir is None
    assert task.config.environment.docker_image == "a/b:c"


def test_required_tests_and_checklist_are_read(tmp_path: Path) -> None:
    files = {
        **HELLO_WORLD,
        "tests/tests.json": '{"fail_to_pass": ["a.py::b"], "pass_to_pass": ["a.py::c[é]"], "pytest_args": ["-x"]}',
        "checklist.toml": '[[item]]\nid = "one"\n',
    }
    task = load_task(make(tmp_path / "t", files))
    assert task.fail_to_pass == ("a.py::b",)
    assert task.pass_to_pass == ("a.py::c[é]",)
    assert task.checklist == {"item": [{"id": "one"}]}


def test_a_checklist_can_stand_for_the_tests(tmp_path: Path) -> None:
    files = {**HELLO_WORLD, "checklist.toml": ""}
    del files["tests/test.sh"]
    task = load_task(make(tmp_path / "t", files))
    assert task.tests_dir is None
    assert task.checklist == {}


def test_unknown_keys_are_kept_and_listed(tmp_path: Path) -> None:
    text = (
        'colour = "red"\n[environment]\nmemroy_mb = 1\n[metadata]\nfree = 1\n[[environment.mcp_servers]]\n'
        'name = "a"\nurl = "u"\nurls = []\n'
    )
    task = load_task(with_toml(tmp_path / "t", text))
    assert task.unknown_keys == (
        "colour",
        'environment.memroy_mb (nearest known key: "memory_mb")',
        'environment.mcp_servers[1].urls (nearest known key: "url")',
    )
    assert write_task(task, tmp_path / "copy").unknown_keys == task.unknown_keys


def test_variables_are_expanded_from_what_is_given() -> None:
    values = {"A": "${HOST}:${PORT:-80}", "B": "plain $HOME", "C": "${EMPTY:-x}${NONE:-}"}
    assert expand_variables(values, {"HOST": "h", "EMPTY": ""}) == {"A": "h:80", "B": "plain $HOME", "C": "x"}
    with pytest.raises(TaskError, match=r"found no value for HOST, wanted it set, or a default: \$\{HOST:-default\}"):
        expand_variables(values, {})


# ------------------------------------------------------------------------------------------------- problems


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[agent]\ntimeout_sec = "fast"', '[agent] timeout_sec: found "fast", wanted a number of seconds'),
        ("[agent]\ntimeout_sec = 0", "[agent] timeout_sec: found 0, wanted a number of seconds greater than 0"),
        ("[verifier]\ntimeout_sec = nan", "[verifier] timeout_sec: found NaN, wanted a number of seconds"),
        ("agent = 3", "agent: found 3, wanted a table"),
        ("[agent]\nuser = []", "[agent] user: found [], wanted a user name or a uid"),
        ('[environment]\nmemory_mb = "4G"', '[environment] memory_mb: found "4G", wanted a whole number of megabytes'),
        ('[environment]\nmemory = "big"', '[environment] memory: found "big", wanted a size such as "4G" or "512M"'),
        (
            '[environment]\nmemory = "1G"\nmemory_mb = 1',
            "[environment] memory: found beside memory_mb with another size",
        ),
        ('[environment]\ncpus = "all"', '[environment] cpus: found "all", wanted a number of CPUs greater than 0'),
        ("[environment]\ncpus = 0", "[environment] cpus: found 0, wanted a number of CPUs greater than 0"),
        ('[environment]\nallow_internet = "no"', '[environment] allow_internet: found "no", wanted true or false'),
        ('[environment]\nos = "windows"', '[environment] os: found "windows", wanted "linux"'),
        (
            '[environment]\nnetwork_mode = "none"',
            '[environment] network_mode: found "none", wanted "public", "no-network" or "allowlist"',
        ),
        (
            '[agent]\nallowed_hosts = ["https://a.example"]',
            '[agent] allowed_hosts, item 1: found "https://a.example", wanted a host name or an IPv4 address',
        ),
        ('[agent]\nallowed_hosts = ["10.0.0.0/8"]', 'allowed_hosts, item 1: found "10.0.0.0/8"'),
        ('[agent]\nallowed_hosts = ["a:80"]', 'allowed_hosts, item 1: found "a:80"'),
        (
            '[agent]\nnetwork_mode = "public"\nallowed_hosts = ["a"]',
            '[agent] allowed_hosts: found with network_mode = "public", wanted "allowlist"',
        ),
        ('[task]\nname = "no-org"', '[task] name: found "no-org", wanted "org/name"'),
        ('[task]\nname = "../.."', '[task] name: found "../.."'),
        ('[task]\ndescription = "d"', "[task] name: missing"),
        ("artifacts = [3]", "artifacts, item 1: found 3, wanted a path, or a table with source and destination"),
        (
            'artifacts = [{ destination = "d" }]',
            'artifacts, item 1: found {"destination": "d"}, wanted a path, or a table',
        ),
        ("[[verifier.collect]]\ntimeout_sec = 1", "[[verifier.collect]] 1: command: missing"),
        ('schema_version = "2.0"', 'schema_version: found "2.0", wanted "1.0" to "1.4"'),
        (
            'multi_step_reward_mode = "mean"',
            'multi_step_reward_mode: found "mean" under an old name, wanted multi_step_reward_strategy',
        ),
        ('steps = [{ name = "a" }, { name = "a" }]', '[[steps]]: found 2 named "a", wanted names that differ'),
        ('steps = [{ name = "../a" }]', '[[steps]] 1: name: found "../a", wanted a folder name'),
        (
            '[[steps]]\nname = "a"\nmin_reward = "high"',
            '[[steps]] 1: min_reward: found "high", wanted a number, or a table of numbers by reward name',
        ),
        ("[environment]\nenv = { PORT = 80 }", "[environment.env] PORT: found 80, wanted text"),
        (
            '[[environment.mcp_servers]]\nname = "a"\ntransport = "stdio"',
            '[[environment.mcp_servers]] 1: command: missing, wanted for transport = "stdio"',
        ),
        ('[metadata.agentgym]\nsplt = "x"', '[metadata.agentgym] splt: unknown key (nearest known key: "split")'),
        ("[metadata.agentgym]\nzzz = 1", "[metadata.agentgym] zzz: unknown key (known keys: suite, split, kind, "),
        (
            "[metadata.agentgym]\nfail_to_pass = []",
            "[metadata.agentgym] fail_to_pass: required tests are kept in tests/",
        ),
        ('[metadata.agentgym]\nsplit = "dev"', '[metadata.agentgym] split: found "dev", wanted "train" or "heldout"'),
        (
            '[metadata.agentgym]\nprotected = ["/etc"]',
            'protected, item 1: found "/etc", wanted a path relative to WORKDIR',
        ),
        (
            '[metadata.agentgym]\nsource = { package = "p" }',
            "[metadata.agentgym.source] found package, wanted package, version and sha256; git and commit; or path",
        ),
        (
            '[metadata.agentgym.source]\npackage = "p"\nversion = "1"\nsha256 = "beef"',
            '[metadata.agentgym.source] sha256: found "beef", wanted 64 hexadecimal digits',
        ),
        ("[agent\n", "not TOML: "),
    ],
)
def test_a_problem_is_told_in_the_files_terms(tmp_path: Path, text: str, line: str) -> None:
    told = problem(with_toml(tmp_path / "t", text))
    assert told.startswith(f"{tmp_path / 't' / 'task.toml'}: ")
    assert line in told
    assert "\n" not in told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = '[agent]\ntimeout_sec = "fast"\n[verifier]\nuser = 1.5\n'
    folder = make(tmp_path / "t", {"task.toml": text, "tests/tests.json": "[]", "environment/Dockerfile": "FROM a\n"})
    assert problem(folder).splitlines() == [
        f"{folder}/task.toml: [verifier] user: found 1.5, wanted a user name or a uid",
        f'{folder}/task.toml: [agent] timeout_sec: found "fast", wanted a number of seconds',
        f"{folder}/instruction.md: missing",
    ]
    assert issubclass(TaskError, UsageError)


def test_missing_files_are_told(tmp_path: Path) -> None:
    folder = make(tmp_path / "t", {"task.toml": ""})
    assert problem(folder).splitlines() == [
        f"{folder}/environment/Dockerfile: missing, and {folder}/task.toml states no [environment] docker_image",
        f"{folder}/tests/test.sh: missing",
        f"{folder}/instruction.md: missing",
    ]
    assert "no such folder, wanted a task folder" in problem(tmp_path / "nowhere")
    assert "a folder without task.toml" in problem(tmp_path)


def test_missing_files_of_steps_are_told(tmp_path: Path) -> None:
    text = 'steps = [{ name = "a" }]\n[environment]\ndocker_image = "i"\n'
    folder = make(tmp_path / "t", {"task.toml": text})
    assert problem(folder).splitlines() == [
        f"{folder}/steps/a/tests/test.sh: missing",
        f"{folder}/steps/a/instruction.md: missing",
    ]


@pytest.mark.parametrize("name", ["docker-compose.yaml", "docker-compose.yml"])
def test_compose_is_refused(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "t", {**HELLO_WORLD, f"environment/{name}": "services: {}\n"})
    assert problem(folder) == (
        f"{folder}/environment/{name}: this gym does not run compose tasks yet, wanted a Dockerfile alone"
    )


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("tests/tests.json", b"{", "tests/tests.json: not JSON: "),
        ("tests/tests.json", b"[1]", "tests/tests.json: found [1], wanted an object"),
        (
            "tests/tests.json",
            b'{"fail_to_pass": "a"}',
            'tests.json: fail_to_pass: found "a", wanted a list of test ids',
        ),
        ("checklist.toml", b"x", "checklist.toml: not TOML: "),
        ("instruction.md", b"caf\xe9", "instruction.md: found a byte that is not UTF-8 at offset 3"),
        ("task.toml", b"# \xe9", "task.toml: found a byte that is not UTF-8 at offset 2"),
    ],
)
def test_unreadable_files_are_told(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    folder = make(tmp_path / "t", HELLO_WORLD)
    (folder / name).write_bytes(content)
    assert line in problem(folder)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "t", HELLO_WORLD)
    (tmp_path / "secret").write_text("s")
    (folder / "environment/copy.md").symlink_to("../instruction.md")
    load_task(folder)
    (folder / "environment/leak").symlink_to("../../secret")
    assert problem(folder) == (
        f"{folder}/environment/leak: found a link to ../../secret, wanted a link to a file of the task, or a copy"
    )


# ------------------------------------------------------------------------------------------------- checksum


def test_the_checksum_is_of_names_and_contents_alone(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", HELLO_WORLD), make(tmp_path / "b", HELLO_WORLD)
    (second / "tests/test.sh").chmod(0o700)
    (second / "tests/__pycache__").mkdir()
    (second / "tests/__pycache__/x.pyc").write_bytes(b"x")
    (second / "empty").mkdir()
    checksum = load_task(first).checksum
    assert load_task(second).checksum == checksum
    assert len(checksum) == 64
    (second / "tests/test.sh").rename(second / "tests/test2.sh")
    (second / "tests/test.sh").write_text("other")
    assert load_task(second).checksum != checksum


def test_the_checksum_is_the_same_on_every_machine(tmp_path: Path) -> None:
    files = {"task.toml": "", "instruction.md": "é\n", "checklist.toml": "", "environment/Dockerfile": ""}
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        digest.update(f"{name}\x00{len(text.encode())}\x00{text}".encode())
    assert load_task(make(tmp_path / "t", files)).checksum == digest.hexdigest()


# ------------------------------------------------------------------------------------------------- finding


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for place in ("repos/wcwidth-zwj", "repos/wcwidth-tabs", "puzzles/maze"):
        make(tmp_path / "tasks" / place, HELLO_WORLD)
    with_toml(tmp_path / "tasks/repos/folder", '[task]\nname = "agentgym/stated-name"\n')
    # what lies inside a task, or is hidden, is no task
    make(tmp_path / "tasks/puzzles/maze/environment/inner", HELLO_WORLD)
    make(tmp_path / "tasks/.hidden/task", HELLO_WORLD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["tasks/puzzles/maze"], ["maze"]),
        (["tasks/puzzles/maze/task.toml"], ["maze"]),
        (["tasks/puzzles"], ["maze"]),
        (["tasks"], ["maze", "stated-name", "wcwidth-tabs", "wcwidth-zwj"]),
        (["tasks/repos/wc*"], ["wcwidth-tabs", "wcwidth-zwj"]),
        (["repos/wc*"], ["wcwidth-tabs", "wcwidth-zwj"]),
        (["wcwidth-*"], ["wcwidth-tabs", "wcwidth-zwj"]),
        (["repos"], ["stated-name", "wcwidth-tabs", "wcwidth-zwj"]),
        (["repos/wcwidth-zwj"], ["wcwidth-zwj"]),
        (["wcwidth-zwj"], ["wcwidth-zwj"]),
        (["stated-name"], ["stated-name"]),
        (["agentgym/stated-name"], ["stated-name"]),
        (["folder"], ["stated-name"]),
        (["wcwidth-zwj", "repos/wc*", "tasks/repos/wcwidth-zwj/"], ["wcwidth-zwj", "wcwidth-tabs"]),
        ([], []),
    ],
)
def test_tasks_are_found(house: Path, patterns: list[str], names: list[str]) -> None:
    assert [task.name for task in find_tasks(*patterns)] == names


def test_tasks_are_found_by_absolute_patterns(house: Path) -> None:
    assert [task.name for task in find_tasks(house / "tasks/puzzles/m*", f"{house}/tasks/puzzles")] == ["maze"]
    assert [task.name for task in find_tasks("maze", root=house / "tasks/puzzles")] == ["maze"]


def test_a_pattern_without_a_match_is_told_with_the_nearest_name(house: Path) -> None:
    with pytest.raises(TaskError) as caught:
        find_tasks("wcwidth-zjw", "maze", "qqq")
    assert str(caught.value).splitlines() == [
        'found no task "wcwidth-zjw", wanted a folder of one or more tasks, a glob or a name '
        '(nearest known task: "wcwidth-zwj")',
        'found no task "qqq", wanted a folder of one or more tasks, a glob or a name (4 tasks under tasks)',
    ]
    with pytest.raises(TaskError, match=r"\(no task under nowhere\)"):
        find_tasks("maze", root="nowhere")


def test_all_broken_tasks_are_told_at_once(house: Path) -> None:
    for name in ("wcwidth-zwj", "wcwidth-tabs"):
        (house / "tasks/repos" / name / "instruction.md").unlink()
    (house / "tasks/repos/folder/task.toml").write_text("[")
    with pytest.raises(TaskError) as caught:
        find_tasks("repos")
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(TaskError, match="found no task"):
        find_tasks("stated-name")


# ------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("maker", [every_key, lambda folder: make(folder, HELLO_WORLD)])
def test_a_written_task_is_the_same_task(tmp_path: Path, maker: Any) -> None:
    task = load_task(maker(tmp_path / "original" / "t"))
    first = write_task(task, tmp_path / "first" / "t")
    second = write_task(first, tmp_path / "second" / "t")
    assert task == first == second
    assert first.checksum == second.checksum
    assert (first.path / "task.toml").read_text() == (second.path / "task.toml").read_text()
    others = {file for file in task.path.rglob("*") if file.is_file() and file.name != "task.toml"}
    for file in others:
        assert (first.path / file.relative_to(task.path)).read_bytes() == file.read_bytes()


def test_old_spellings_are_written_as_todays(tmp_path: Path) -> None:
    text = '[environment]\nmemory = "4G"\nstorage = "1G"\nallow_internet = false\nshm_mb = 64\n'
    written = write_task(load_task(with_toml(tmp_path / "t", text)), tmp_path / "copy")
    assert (written.path / "task.toml").read_text() == (
        'schema_version = "1.1"\n\n[environment]\nnetwork_mode = "no-network"\nmemory_mb = 4096\nstorage_mb = 1024\n'
        "shm_mb = 64\n"
    )


def test_parts_become_a_folder(tmp_path: Path) -> None:
    parts = TaskParts(
        config=TaskConfig(
            task=Package(name="agentgym/new"),
            metadata=Metadata.model_validate({"difficulty": "easy", "agentgym": {"suite": "s"}}),
        ),
        instruction="Do it.\n",
        files={
            "environment/Dockerfile": b"FROM scratch\n",
            "tests/test.sh": b"true\n",
            "tests/tool": b"#!/bin/sh\n",
            "tests/tests.json": b'{"pytest_args": ["-x"]}',
        },
        fail_to_pass=("t.py::é",),
        checklist={"item": [{"id": "a"}]},
    )
    task = write_task(parts, tmp_path / "new")
    assert (task.name, task.fail_to_pass, task.pass_to_pass) == ("new", ("t.py::é",), ())
    assert task.checklist == parts.checklist
    assert '"pytest_args"' in (task.path / "tests/tests.json").read_text()
    assert (task.path / "tests/test.sh").stat().st_mode & 0o777 == 0o755
    assert (task.path / "tests/tool").stat().st_mode & 0o777 == 0o755
    assert (task.path / "instruction.md").stat().st_mode & 0o777 == 0o644


def test_a_changed_task_is_written_changed(tmp_path: Path) -> None:
    files = {
        **HELLO_WORLD,
        "checklist.toml": "a = 1 # kept\n",
        "tests/tests.json": '{"pytest_args": [], "fail_to_pass": []}',
    }
    task = load_task(make(tmp_path / "t", files))
    same = write_task(task, tmp_path / "same")
    assert (same.path / "checklist.toml").read_text() == "a = 1 # kept\n"
    assert (same.path / "tests/tests.json").read_text() == files["tests/tests.json"]
    changed = write_task(
        replace(task, instruction="Other.\n", pass_to_pass=("x",), checklist={"b": 2}), tmp_path / "changed"
    )
    assert (changed.instruction, changed.pass_to_pass, changed.checklist) == ("Other.\n", ("x",), {"b": 2})
    assert '"pytest_args": []' in (changed.path / "tests/tests.json").read_text()
    assert not (write_task(replace(task, checklist=None), tmp_path / "without").path / "checklist.toml").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    task = load_task(make(tmp_path / "t", HELLO_WORLD))
    for target in (task.path, task.path / "task.toml"):
        with pytest.raises(TaskError, match="found something there already, wanted a new or empty folder"):
            write_task(task, target)
    (tmp_path / "empty").mkdir()
    assert write_task(task, tmp_path / "empty").config == task.config


def test_nothing_stays_of_a_task_that_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"tests/test.sh: missing"):
        write_task(TaskParts(TaskConfig(), "x", {"environment/Dockerfile": b""}), tmp_path / "t")
    with pytest.raises(TaskError, match="wanted a path inside the task folder"):
        write_task(TaskParts(TaskConfig(), "x", {"../evil": b""}), tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FREE = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | TEXT | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
GYM = st.fixed_dictionaries(
    {},
    optional={
        "suite": TEXT,
        "split": st.sampled_from(["train", "heldout"]),
        "grading": st.sampled_from(["diff", "layer", "shared"]),
        "test_command": TEXT,
        "tools": st.lists(TEXT, max_size=3),
        "licence": TEXT,
    },
)


@settings(max_examples=60, deadline=None)
@given(
    metadata=st.dictionaries(TEXT.filter(lambda key: key != "agentgym"), FREE, max_size=4),
    gym=GYM,
    instruction=TEXT,
    tests=st.lists(TEXT, max_size=3),
    env=st.dictionaries(TEXT, TEXT, max_size=3),
)
def test_any_metadata_survives(
    tmp_path_factory: pytest.TempPathFactory,
    metadata: dict[str, Any],
    gym: dict[str, Any],
    instruction: str,
    tests: list[str],
    env: dict[str, str],
) -> None:
    folder = tmp_path_factory.mktemp("any")
    config = TaskConfig.model_validate({"metadata": {**metadata, "agentgym": gym}, "environment": {"env": env}})
    parts = TaskParts(config, instruction, {"environment/Dockerfile": b"", "tests/test.sh": b""}, tuple(tests))
    task = write_task(parts, folder / "t")
    assert task.config == config
    assert dict(task.metadata) == metadata
    assert task.instruction == instruction
    assert task.fail_to_pass == tuple(tests)
    again = write_task(task, folder / "again" / "t")
    assert again == task
    assert again.checksum == task.checksum
    assert parse_config(dump_config(config)) == config
    shutil.rmtree(folder)


def test_reading_tasks_loads_nothing_heavy() -> None:
    code = "import sys, agentgym.task; print(sorted({'torch', 'docker', 'rich'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_what_the_user_says_ends_with_the_tasks_reminder(tmp_path: Path) -> None:
    plain = vary(tmp_path / "plain")
    assert plain.says(plain.steps[0]) == plain.instruction
    reminded = vary(tmp_path / "reminded", {"task.toml": '[metadata.agentgym]\nsystem_reminder = "Be kind.\\n"\n'})
    wanted = f"{plain.instruction.rstrip()}\n\n<system-reminder>\nBe kind.\n</system-reminder>\n"
    assert reminded.says(reminded.steps[0]) == wanted


def test_folders_that_steps_bring_in_are_laid_over_each_other(tmp_path: Path) -> None:
    steps = '[[steps]]\nname = "one"\n[[steps]]\nname = "two"\n[[steps]]\nname = "three"\n'
    files = {"task.toml": steps} | {f"steps/{name}/instruction.md": name for name in ("one", "two", "three")}
    files |= {"steps/one/workdir/a": "1", "steps/three/workdir/a": "3"}
    task = vary(tmp_path / "task", files)
    brought_in = [[folder.parent.name for folder in task.brought_in(step)] for step in task.steps]
    assert brought_in == [["one"], ["one"], ["one", "three"]]

"""A task: a folder in Harbor's format, read, checked and written.

    <task>/  task.toml  instruction.md  environment/Dockerfile  tests/test.sh  [solution/solve.sh]  [checklist.toml]
             steps/<name>/{instruction.md, tests/, solution/, workdir/}        multi-step tasks only

What Harbor does not know lies in [metadata.agentgym], tests/tests.json (the required tests) and checklist.toml.
Nothing here builds, runs or grades.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from agentgym.errors import TaskError
from agentgym.nearest import nearest
from agentgym.toml import (
    AgentConfig,
    Artifact,
    CollectHook,
    EnvironmentConfig,
    Grading,
    GymMetadata,
    Healthcheck,
    McpServer,
    Metadata,
    NetworkMode,
    Package,
    SolutionConfig,
    Source,
    StepConfig,
    TaskConfig,
    VerifierConfig,
    dump_config,
    parse_config,
    unknown_keys,
)

__all__ = [
    "AgentConfig",
    "Artifact",
    "CollectHook",
    "EnvironmentConfig",
    "Grading",
    "GymMetadata",
    "Healthcheck",
    "McpServer",
    "Metadata",
    "NetworkMode",
    "Package",
    "SolutionConfig",
    "Source",
    "Step",
    "StepConfig",
    "Task",
    "TaskConfig",
    "TaskParts",
    "VerifierConfig",
    "expand_variables",
    "find_folders",
    "find_tasks",
    "load_task",
    "write_task",
]

_CACHES = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"})
_COMPOSE = ("docker-compose.yaml", "docker-compose.yml")
Phase = TypeVar("Phase", AgentConfig, VerifierConfig)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction with its verifier; every task has at least one."""

    name: str
    """The task's own where it has no steps."""
    instruction: str
    config: StepConfig
    """Resolved: what the step leaves unsaid of [agent] and [verifier] is the task's, but its verifier's timeout."""
    folder: Path = field(compare=False)
    """steps/<name>, or the task's own folder where it has no steps."""

    @property
    def min_reward(self) -> float | dict[str, float] | None:
        """The episode ends after this step when its reward is lower. None: it goes on."""
        return self.config.min_reward

    @property
    def tests_dir(self) -> Path | None:
        """What goes to /tests, on top of the task's own `tests_dir`; None where there is none."""
        return _folder(self.folder / "tests")

    @property
    def solution_dir(self) -> Path | None:
        """What goes to /solution; None without a solve.sh."""
        return _folder(self.folder / "solution", holding="solve.sh")

    @property
    def workdir(self) -> Path | None:
        """Files to copy into WORKDIR before the step, where its setup.sh, if any, is then run."""
        return _folder(self.folder / "workdir")


@dataclass(frozen=True, slots=True)
class Task:
    """A task folder, read. Two tasks are equal when what was read of them is; `checksum` compares every byte."""

    path: Path = field(compare=False)
    name: str
    """[task] name without its "org/", or the folder's name."""
    instruction: str
    """The first step's where there are several."""
    config: TaskConfig
    steps: tuple[Step, ...]
    fail_to_pass: tuple[str, ...] = ()
    """Tests that the work must repair (tests/tests.json)."""
    pass_to_pass: tuple[str, ...] = ()
    """Tests that the work must leave whole (tests/tests.json)."""
    checklist: Mapping[str, Any] | None = None
    """checklist.toml as data."""

    @property
    def gym(self) -> GymMetadata:
        """[metadata.agentgym], its `grading` settled: what it states; "shared" where it states nothing and
        [verifier] states environment_mode = "shared"; else "layer"."""
        gym = self.config.metadata.agentgym
        if "grading" not in gym.model_fields_set and self.config.verifier.environment_mode == "shared":
            return gym.model_copy(update={"grading": "shared"})
        return gym

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The free keys of [metadata]: difficulty, category, author_name, ..."""
        return self.config.metadata.model_extra or {}

    @property
    def multi_step(self) -> bool:
        """Whether it has [[steps]]."""
        return bool(self.config.steps)

    @property
    def environment_dir(self) -> Path | None:
        """None where there is none (docker_image alone)."""
        return _folder(self.path / "environment")

    @property
    def tests_dir(self) -> Path | None:
        """What goes to /tests for every step; None where there is none."""
        return _folder(self.path / "tests")

    @property
    def solution_dir(self) -> Path | None:
        """What goes to /solution; None without a solve.sh, and where steps have their own."""
        return _folder(self.path / "solution", holding="solve.sh")

    def says(self, step: Step) -> str:
        """The user's message at the step: its instruction, and the task's system_reminder where it has one."""
        reminder = self.gym.system_reminder.strip()
        if not reminder:
            return step.instruction
        return f"{step.instruction.rstrip()}\n\n<system-reminder>\n{reminder}\n</system-reminder>\n"

    def brought_in(self, step: Step) -> list[Path]:
        """The folders whose files are in WORKDIR at the step, each laid over those before."""
        so_far = self.steps[: self.steps.index(step) + 1]
        return [folder for one in so_far if (folder := one.workdir) is not None]

    @property
    def unknown_keys(self) -> tuple[str, ...]:
        """Keys of task.toml that nobody knows, as `environment.memroy_mb (nearest known key: "memory_mb")`."""
        return unknown_keys(self.config)

    @property
    def checksum(self) -> str:
        """sha256 (hex) over the sorted relative paths and the contents; caches, modes and times do not count."""
        digest = hashlib.sha256()
        for name, file in sorted(_files(self.path)):
            content = file.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TaskParts:
    """A task that is not a folder yet: what rows and miners make, and `write_task` writes."""

    config: TaskConfig
    instruction: str
    """Of a task with [[steps]] they lie in `files`, and this is not written."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """By path in the folder: environment/Dockerfile, tests/test.sh, ... ; *.sh and #! files become executable."""
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    checklist: Mapping[str, Any] | None = None


def load_task(path: Path | str) -> Task:
    """Read and check one task folder.

    Raises TaskError that names every problem, one a line, each opened by the file. A task with a checklist.toml may do
    without tests/test.sh.
    """
    folder = Path(path)
    if not (folder / "task.toml").is_file():
        found = "a folder without task.toml" if folder.is_dir() else "no such folder"
        raise TaskError(f"{folder}: {found}, wanted a task folder")
    problems = list(_misplaced_links(folder))
    config, instruction, steps, required, checklist = TaskConfig(), "", list[Step](), _Required(), None
    try:
        config = parse_config(_text(folder / "task.toml"), file=str(folder / "task.toml"))
    except TaskError as error:
        problems += str(error).splitlines()
    else:
        problems += _missing_files(folder, config)
    name = config.task.name.rpartition("/")[2] if config.task else folder.resolve().name
    try:
        if config.steps:
            for stated in config.steps:
                home = folder / "steps" / stated.name
                text = _text(home / "instruction.md")
                steps.append(Step(stated.name, text, _resolved(stated, config), home))
            instruction = steps[0].instruction
        else:
            instruction = _text(folder / "instruction.md")
            own = StepConfig.model_construct(
                name=name, artifacts=config.artifacts, agent=config.agent, verifier=config.verifier
            )
            steps.append(Step(name, instruction, own, folder))
        required = _required_tests(folder / "tests" / "tests.json")
        checklist = _checklist(folder / "checklist.toml")
    except TaskError as error:
        problems += str(error).splitlines()
    if problems:
        raise TaskError("\n".join(dict.fromkeys(problems)))
    return Task(
        folder, name, instruction, config, tuple(steps), required.fail_to_pass, required.pass_to_pass, checklist
    )


def find_tasks(*patterns: Path | str, root: Path | str = "tasks") -> list[Task]:
    """The tasks in `find_folders`. Raises TaskError that names every problem of every one of them."""
    tasks = []
    problems: list[str] = []
    for folder in find_folders(*patterns, root=root):
        try:
            tasks.append(load_task(folder))
        except TaskError as error:
            problems.append(str(error))
    if problems:
        raise TaskError("\n".join(problems))
    return tasks


def find_folders(*patterns: Path | str, root: Path | str = "tasks") -> list[Path]:
    """The task folders that `patterns` name, each once, in their order; within one pattern sorted by path.

    A pattern is a task folder, a folder searched for tasks, a glob, or, looked up under `root`, a task's name or the
    end of its path (`wcwidth-zwj-sequences`, `repos`, `repos/wcwidth-*`). Raises TaskError that names every pattern
    without a match, with the nearest name.
    """
    folders: dict[Path, Path] = {}
    problems: list[str] = []
    for pattern in patterns:
        found = sorted(_matches(str(pattern), Path(root)))
        if not found:
            known = sorted({folder.name for folder in _task_folders(Path(root))})
            hint = nearest(str(pattern).rstrip("/").rpartition("/")[2], known, what="task") or (
                f" ({len(known)} tasks under {root})" if known else f" (no task under {root})"
            )
            problems.append(f'found no task "{pattern}", wanted a folder of one or more tasks, a glob or a name{hint}')
        for folder in found:
            folders.setdefault(folder.resolve(), folder)
    if problems:
        raise TaskError("\n".join(problems))
    return list(folders.values())


def write_task(task: Task | TaskParts, folder: Path | str) -> Task:
    """Write a new folder and load it; the same task gives the same bytes, and nothing stays of one that is refused.

    Of a Task all files are copied, caches left out; task.toml is written anew from `config`, in today's spellings.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TaskError(f"{folder}: found something there already, wanted a new or empty folder")
    files = _contents(_parts(task) if isinstance(task, Task) else task)
    for name in files:
        if name.startswith("/") or ".." in name.split("/"):
            raise TaskError(f'{folder}: found a file "{name}", wanted a path inside the task folder')
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        for name, content in sorted(files.items()):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o755 if name.endswith(".sh") or content.startswith(b"#!") else 0o644)
        written = load_task(folder)
        undo.pop_all()
    return written


def expand_variables(values: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """`values` with each ${VAR} and ${VAR:-default} replaced from `variables`.

    As in a shell, an empty variable counts as absent where there is a default. Raises TaskError that names each VAR
    with neither a value nor a default.
    """
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if default is not None:
            return variables.get(name) or default
        if name not in variables:
            missing.append(name)
        return variables.get(name, "")

    expanded = {key: _VARIABLE.sub(value, text) for key, text in values.items()}
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise TaskError(f"found no value for {names}, wanted it set, or a default: ${{{missing[0]}:-default}}")
    return expanded


# ------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Required:
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()


def _folder(path: Path, *, holding: str = "") -> Path | None:
    return path if (path / holding).exists() and path.is_dir() else None


def _text(file: Path) -> str:
    """Decoded, line ends untouched."""
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        raise TaskError(f"{file}: missing") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{file}: found a byte that is not UTF-8 at offset {error.start}, wanted UTF-8 text") from None


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in folder.rglob("*"):
        relative = file.relative_to(folder)
        if file.is_file() and not _CACHES.intersection(relative.parts) and file.suffix != ".pyc":
            yield relative.as_posix(), file


def _misplaced_links(folder: Path) -> Iterator[str]:
    """A link out of the folder would carry the host's files into a sandbox; a link to a folder is not followed."""
    home = folder.resolve()
    for file in folder.rglob("*"):
        if file.is_symlink() and not (file.resolve().is_relative_to(home) and file.is_file()):
            yield f"{file}: found a link to {file.readlink()}, wanted a link to a file of the task, or a copy"


def _missing_files(folder: Path, config: TaskConfig) -> Iterator[str]:
    environment = folder / "environment"
    compose = next((name for name in _COMPOSE if (environment / name).exists()), None)
    if compose:
        yield f"{environment / compose}: this gym does not run compose tasks yet, wanted a Dockerfile alone"
    elif not (environment / "Dockerfile").is_file() and config.environment.docker_image is None:
        yield f"{environment / 'Dockerfile'}: missing, and {folder / 'task.toml'} states no [environment] docker_image"
    if (folder / "checklist.toml").is_file():
        return
    tests = folder / "tests" / "test.sh"
    for home in [folder / "steps" / step.name for step in config.steps] or [folder]:
        if not tests.is_file() and not (home / "tests" / "test.sh").is_file():
            yield f"{home / 'tests' / 'test.sh'}: missing"


def _resolved(step: StepConfig, config: TaskConfig) -> StepConfig:
    """Harbor's rule: of [verifier], only user, env, network, environment_mode and environment carry over to a step."""
    agent, verifier = _overlaid(config.agent, step.agent), _overlaid(config.verifier, step.verifier)
    own = {"timeout_sec": step.verifier.timeout_sec, "collect": step.verifier.collect}
    return step.model_copy(update={"agent": agent, "verifier": verifier.model_copy(update=own)})


def _overlaid(task: Phase, step: Phase) -> Phase:
    stated = {key: getattr(step, key) for key in step.model_fields_set}
    if isinstance(task, VerifierConfig) and isinstance(step, VerifierConfig):
        stated["env"] = {**task.env, **step.env}
    if "network_mode" in stated:  # the two network keys are one statement
        stated["allowed_hosts"] = step.allowed_hosts
    return task.model_copy(update=stated)


def _required_tests(file: Path) -> _Required:
    if not file.is_file():
        return _Required()
    data = _json_table(file)
    for key in ("fail_to_pass", "pass_to_pass"):
        tests = data.get(key, [])
        if not isinstance(tests, list) or not all(isinstance(test, str) for test in tests):
            raise TaskError(f"{file}: {key}: found {json.dumps(tests)[:80]}, wanted a list of test ids")
    return _Required(tuple(data.get("fail_to_pass", ())), tuple(data.get("pass_to_pass", ())))


def _json_table(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(_text(file))
    except json.JSONDecodeError as error:
        raise TaskError(f"{file}: not JSON: {error}") from None
    if not isinstance(data, dict):
        raise TaskError(f"{file}: found {json.dumps(data)[:80]}, wanted an object")
    return data


def _checklist(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        return tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{file}: not TOML: {error}") from None


# ------------------------------------------------------------------------------------------------- finding


def _task_folders(folder: Path) -> Iterator[Path]:
    """Task folders in and below `folder`; a task's own files and hidden folders are not searched."""
    if (folder / "task.toml").is_file():
        yield folder
    elif folder.is_dir():
        for child in folder.iterdir():
            if child.is_dir() and not child.name.startswith("."):
                yield from _task_folders(child)


def _matches(pattern: str, root: Path) -> set[Path]:
    path = Path(pattern)
    if path.name == "task.toml":
        path = path.parent
    for place in (path, root / path):
        if place.is_dir():
            return set(_task_folders(place))
        if found := {task for match in _glob(place) for task in _task_folders(match)}:
            return found
    named = {folder for folder in _task_folders(root) if folder.match(pattern)}
    return named or {folder for folder in _task_folders(root) if pattern in _stated_names(folder)}


def _glob(place: Path) -> Sequence[Path]:
    anchor = Path(place.anchor)
    return [*anchor.glob(str(place.relative_to(anchor)))] if set("*?[").intersection(str(place)) else []


def _stated_names(folder: Path) -> tuple[str, ...]:
    """[task] name with and without its org; none where task.toml cannot be read, which `load_task` is there to say."""
    try:
        name = tomllib.loads(_text(folder / "task.toml")).get("task", {}).get("name", "")
    except (TaskError, tomllib.TOMLDecodeError, AttributeError):
        return ()
    return (str(name), str(name).rpartition("/")[2])


# ------------------------------------------------------------------------------------------------- writing


def _parts(task: Task) -> TaskParts:
    files = {name: file.read_bytes() for name, file in _files(task.path)}
    # kept byte for byte where the task still says the same
    unchanged = task.checklist == _checklist(task.path / "checklist.toml")
    if not unchanged:
        files.pop("checklist.toml", None)
    checklist = None if unchanged else task.checklist
    return TaskParts(task.config, task.instruction, files, task.fail_to_pass, task.pass_to_pass, checklist)


def _contents(parts: TaskParts) -> dict[str, bytes]:
    """Every file of the folder."""
    files = dict(parts.files)
    files["task.toml"] = dump_config(parts.config).encode()
    if not parts.config.steps:
        files["instruction.md"] = parts.instruction.encode()
    if parts.checklist is not None:
        files["checklist.toml"] = tomli_w.dumps(parts.checklist).encode()
    held = json.loads(files.get("tests/tests.json", b"{}"))
    stated = {"fail_to_pass": list(parts.fail_to_pass), "pass_to_pass": list(parts.pass_to_pass)}
    if any(held.get(key, []) != tests for key, tests in stated.items()):
        files["tests/tests.json"] = (json.dumps({**held, **stated}, indent=2) + "\n").encode()
    return files

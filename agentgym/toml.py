"""task.toml: its tables as frozen models, read with errors in the file's own terms, and written back.

Harbor's schemas 1.0 to 1.4 are read; old spellings become today's: version -> schema_version, memory and storage ->
memory_mb and storage_mb, allow_internet -> network_mode. Keys that no table knows are kept, written back and listed
(`unknown_keys`), except under [metadata.agentgym], where they are an error. Nothing here looks at other files.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentgym.errors import TaskError
from agentgym.nearest import nearest

SCHEMA_VERSION = "1.1"
"""Of what is written where a task states no version."""

NetworkMode = Literal["public", "no-network", "allowlist"]
Grading = Literal["diff", "layer", "shared"]

_PACKAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_STEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST = re.compile(r"[^\s/:]+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG])(?:I?B)?")
_MB_PER_UNIT = {"K": 1 / 1024, "M": 1.0, "G": 1024.0}


def _host(value: str) -> str:
    host = value.strip().lower().rstrip(".")
    if not _HOST.fullmatch(host):
        raise ValueError("a host name or an IPv4 address, without scheme, port, path or mask")
    return host


def _inside(value: str) -> str:
    if not value or value.startswith("/") or ".." in value.split("/"):
        raise ValueError("a path relative to WORKDIR, without ..")
    return value


def _package_name(value: str) -> str:
    if not _PACKAGE_NAME.fullmatch(value) or ".." in value:
        raise ValueError('"org/name" in letters, digits, ".", "_" and "-", each part opened by a letter or digit')
    return value


def _step_name(value: str) -> str:
    if not _STEP_NAME.fullmatch(value) or ".." in value:
        raise ValueError('a folder name in letters, digits, ".", "_" and "-", opened by a letter or digit')
    return value


def _schema_version(value: str) -> str:
    if not re.fullmatch(r"1(\.\d+)*", value):
        raise ValueError('"1.0" to "1.4": no other version of the format is known')
    return value


def _linux(value: str) -> str:
    if value != "linux":
        raise ValueError('"linux": this gym has no other sandboxes')
    return value


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Megabytes = Annotated[int, Field(gt=0)]
Host = Annotated[str, AfterValidator(_host)]
RelativePath = Annotated[str, AfterValidator(_inside)]


class Table(BaseModel):
    """One table of task.toml. Keys that it does not know are kept, and listed by `unknown_keys`."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Author(Table):
    """One of [task] authors."""

    name: str
    email: str | None = None


class Package(Table):
    """[task]: what the task is called and about."""

    name: Annotated[str, AfterValidator(_package_name)]
    """"org/name"."""
    version: str | None = None
    description: str = ""
    """One sentence."""
    authors: tuple[Author, ...] = ()
    keywords: tuple[str, ...] = ()


class Closed(BaseModel):
    """A table of our own, where an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Closed):
    """Where a task's repository comes from: an sdist, a git commit, or a folder of the task."""

    package: str | None = None
    """Name on the package index; with version and sha256."""
    version: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the sdist, in hexadecimal."""
    git: str | None = None
    """URL of a repository; with commit."""
    commit: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        stated = {key for key in Source.model_fields if getattr(self, key) is not None}
        if stated not in ({"package", "version", "sha256"}, {"git", "commit"}, {"path"}):
            found = ", ".join(sorted(stated)) or "nothing"
            raise ValueError(f"found {found}, wanted package, version and sha256; git and commit; or path")
        return self


class GymMetadata(Closed):
    """[metadata.agentgym]: what Harbor has no key for."""

    suite: str = ""
    """The folder of tasks that it belongs to."""
    split: Literal["train", "heldout"] = "train"
    kind: str = ""
    """bug_fix, feature, write_test, performance, ..."""
    grading: Grading = "layer"
    """What of the agent's work the verifier sees. diff: its changes under WORKDIR, in a fresh sandbox, with `protected`
    restored. layer: a frozen copy of all its files, in a fresh sandbox. shared: the agent's own sandbox."""
    protected: tuple[RelativePath, ...] = ()
    """Files and folders, relative to WORKDIR, that are put back before grading."""
    test_command: str = ""
    """What the run_tests tool runs; empty: the task has no such tool."""
    tools: tuple[str, ...] = ()
    """Tools that the task offers; empty: the default ones."""
    system_prompt: str = ""
    """For the agent's system prompt, after what its scaffold says there."""
    system_reminder: str = ""
    """For each of the user's messages, at its end, between <system-reminder> and </system-reminder>."""
    source: Source | None = None
    licence: str = ""
    """SPDX identifier of the repository's licence."""

    @model_validator(mode="before")
    @classmethod
    def _tests_live_elsewhere(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in ("fail_to_pass", "pass_to_pass"):
                if key in data:
                    raise ValueError(f"{key}: required tests are kept in tests/tests.json; move the list there")
        return data


class Metadata(Table):
    """[metadata]: free, except for its table agentgym."""

    agentgym: GymMetadata = GymMetadata()


class Artifact(Table):
    """A path copied out of the sandbox when the agent is done."""

    source: str
    destination: str | None = None


class Healthcheck(Table):
    """A command that tells whether the environment is ready, as Docker's HEALTHCHECK."""

    command: str
    """Exit code 0: ready."""
    interval_sec: Pause = 5.0
    timeout_sec: Seconds = 30.0
    start_period_sec: Pause = 0.0
    """Failures count only after it."""
    start_interval_sec: Pause = 5.0
    """Between checks during the start period."""
    retries: Annotated[int, Field(ge=0)] = 3
    """Failures in a row that end the episode."""


class McpServer(Table):
    """An MCP server that the agent may use."""

    name: str
    transport: Literal["sse", "streamable-http", "stdio"] = "sse"
    url: str | None = None
    """For sse and streamable-http."""
    command: str | None = None
    """For stdio."""
    args: tuple[str, ...] = ()
    """For stdio."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        needed = "command" if self.transport == "stdio" else "url"
        if not getattr(self, needed):
            raise ValueError(f'{needed}: missing, wanted for transport = "{self.transport}"')
        return self


class NetworkTable(Table):
    """The two network keys that [environment], [agent] and [verifier] share."""

    network_mode: NetworkMode | None = None
    """None: not stated."""
    allowed_hosts: tuple[Host, ...] = ()
    """Host names and IPv4 addresses; naming any means network_mode = "allowlist"."""

    @model_validator(mode="after")
    def _hosts_need_allowlist(self) -> Self:
        if not self.allowed_hosts:
            return self
        if self.network_mode not in (None, "allowlist"):
            raise ValueError(f'allowed_hosts: found with network_mode = "{self.network_mode}", wanted "allowlist"')
        # frozen for everybody but its own validator
        vars(self).update(network_mode="allowlist", allowed_hosts=tuple(dict.fromkeys(self.allowed_hosts)))
        self.model_fields_set.add("network_mode")
        return self


class EnvironmentConfig(NetworkTable):
    """[environment]: the sandbox that the agent works in."""

    build_timeout_sec: Seconds = 600.0
    docker_image: str | None = None
    """A pre-built image; then environment/Dockerfile may be absent."""
    cpus: Annotated[int | float, Field(gt=0)] = 1
    memory_mb: Megabytes = 2048
    storage_mb: Megabytes = 10240
    gpus: Annotated[int, Field(ge=0)] = 0
    gpu_types: tuple[str, ...] | None = None
    """Acceptable ones; None: any."""
    env: dict[str, str] = Field(default_factory=dict)
    """Variables in the sandbox; ${VAR} and ${VAR:-default} are left as they are (`expand_variables`)."""
    skills_dir: str | None = None
    """Folder in the image that holds skills for the agent."""
    workdir: str | None = None
    """Where commands run; None: the image's WORKDIR."""
    os: Annotated[str, AfterValidator(_linux)] = "linux"
    healthcheck: Healthcheck | None = None
    mcp_servers: tuple[McpServer, ...] = ()

    @property
    def network(self) -> NetworkMode:
        """What holds: `network_mode`, and Harbor's "public" where the task states nothing."""
        return self.network_mode or "public"

    @model_validator(mode="before")
    @classmethod
    def _old_spellings(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        for old, new in (("memory", "memory_mb"), ("storage", "storage_mb")):
            if old in data:
                size_mb = _megabytes(old, data.pop(old))
                if data.setdefault(new, size_mb) != size_mb:
                    raise ValueError(f"{old}: found beside {new} with another size; keep {new}")
        if "allow_internet" in data:
            allowed = data.pop("allow_internet")
            if not isinstance(allowed, bool):
                raise ValueError(f"allow_internet: found {_shown(allowed)}, wanted true or false (today: network_mode)")
            if not data.get("allowed_hosts"):
                # as in Harbor, network_mode wins where both are stated
                data.setdefault("network_mode", "public" if allowed else "no-network")
        return data


class PhaseConfig(NetworkTable):
    """What [agent] and [verifier] share."""

    user: str | int | None = None
    """Name or uid; None: the image's USER."""

    def network(self, environment: EnvironmentConfig) -> NetworkMode:
        """What holds in this phase: its own network_mode, else the environment's."""
        return self.network_mode or environment.network


class AgentConfig(PhaseConfig):
    """[agent]"""

    timeout_sec: Seconds | None = None
    """None: no limit of the task's own."""


class CollectHook(Table):
    """[[verifier.collect]]: a command run before the artifacts are collected."""

    command: str
    timeout_sec: Seconds = 600.0


class VerifierConfig(PhaseConfig):
    """[verifier]"""

    timeout_sec: Seconds = 600.0
    env: dict[str, str] = Field(default_factory=dict)
    environment_mode: Literal["shared", "separate"] | None = None
    """None: not stated, which is "shared" in Harbor and grading "layer" here."""
    environment: EnvironmentConfig | None = None
    """A separate verifier's own sandbox."""
    collect: tuple[CollectHook, ...] = ()


class SolutionConfig(Table):
    """[solution]"""

    env: dict[str, str] = Field(default_factory=dict)


class StepConfig(Table):
    """One of [[steps]]."""

    name: Annotated[str, AfterValidator(_step_name)]
    """Its folder under steps/."""
    min_reward: float | dict[str, float] | None = None
    """A lower reward (one number, or some of reward.json by name) ends the episode. None: it goes on."""
    artifacts: tuple[str | Artifact, ...] = ()
    agent: AgentConfig = AgentConfig()
    verifier: VerifierConfig = VerifierConfig()
    healthcheck: Healthcheck | None = None


class TaskConfig(Table):
    """All of task.toml."""

    schema_version: Annotated[str, AfterValidator(_schema_version)] = SCHEMA_VERSION
    source: str | None = None
    """Where the task came from, in free words."""
    artifacts: tuple[str | Artifact, ...] = ()
    multi_step_reward_strategy: Literal["mean", "final"] | None = None
    """The reward of several steps. None: not stated, which is "mean"."""
    task: Package | None = None
    metadata: Metadata = Metadata()
    verifier: VerifierConfig = VerifierConfig()
    agent: AgentConfig = AgentConfig()
    solution: SolutionConfig = SolutionConfig()
    environment: EnvironmentConfig = EnvironmentConfig()
    steps: tuple[StepConfig, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _old_spellings(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        if "version" in data:
            data.setdefault("schema_version", data.pop("version"))
            data.pop("version", None)
        if "multi_step_reward_mode" in data:
            raise ValueError(
                f"multi_step_reward_mode: found {_shown(data['multi_step_reward_mode'])} under an old name, "
                'wanted multi_step_reward_strategy = "mean" or "final" (since schema 1.3)'
            )
        return data

    @model_validator(mode="after")
    def _steps_differ(self) -> Self:
        names = [step.name for step in self.steps]
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                raise ValueError(f'[[steps]]: found {names.count(name)} named "{name}", wanted names that differ')
        return self


def parse_config(text: str, *, file: str = "task.toml") -> TaskConfig:
    """The tables of task.toml. Raises TaskError with one line a problem, each opened by `file`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{file}: not TOML: {error}") from None
    try:
        return TaskConfig.model_validate(data)
    except ValidationError as error:
        raise TaskError("\n".join(f"{file}: {line}" for line in _problems(error, data))) from None


def dump_config(config: TaskConfig) -> str:
    """The text of task.toml: what was stated, in today's spellings and a fixed order, unknown keys after known ones."""
    return tomli_w.dumps({"schema_version": config.schema_version, **_stated(config)})


def unknown_keys(config: TaskConfig) -> tuple[str, ...]:
    """Each key that neither Harbor nor we know, by dotted path, with the nearest known one."""
    return tuple(_unknown(config, ""))


def _stated(value: Any) -> Any:
    """Plain TOML data: set fields only, tuples as lists, None left out."""
    if isinstance(value, BaseModel):
        stated = {key: getattr(value, key) for key in type(value).model_fields if key in value.model_fields_set}
        return _stated({**stated, **(value.model_extra or {})})
    if isinstance(value, Mapping):
        return {key: _stated(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_stated(item) for item in value]
    return value


def _unknown(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, tuple):
        for number, item in enumerate(value, start=1):
            yield from _unknown(item, f"{path}[{number}]")
    if not isinstance(value, BaseModel):
        return
    fields = list(type(value).model_fields)
    if not isinstance(value, Metadata):
        for key in value.model_extra or {}:
            yield _dotted(path, key) + nearest(key, fields, what="key")
    for key in fields:
        yield from _unknown(getattr(value, key), _dotted(path, key))


def _dotted(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _megabytes(key: str, size: Any) -> int:
    match = _SIZE.fullmatch(size.strip().upper()) if isinstance(size, str) else None
    if match is None:
        raise ValueError(f'{key}: found {_shown(size)}, wanted a size such as "4G" or "512M" (today: {key}_mb = 4096)')
    return int(float(match[1]) * _MB_PER_UNIT[match[2]])


# ------------------------------------------------------------------------------------------ problems as lines

_WANTED_BY_KEY = {
    "cpus": "a number of CPUs greater than 0",
    "user": "a user name or a uid",
    "min_reward": "a number, or a table of numbers by reward name",
    "artifacts": "a path, or a table with source and destination",
}
_UNION_MEMBERS = ("str", "int", "float", "dict[str,float]", "Artifact")
_WANTED_BY_TYPE = {
    "string": "text",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "tuple": "a list",
    "dict": "a table",
    "model": "a table",
    "finite": "a finite number",
}


def _problems(error: ValidationError, data: Mapping[str, Any]) -> list[str]:
    """One line a place; a place is named once, however many members of a union it fails."""
    lines: dict[tuple[str | int, ...], str] = {}
    for detail in error.errors(include_url=False):
        place = _place(detail["loc"], data)
        if not any(place[: len(seen)] == seen for seen in lines):
            lines[place] = _line(place, detail)
    return list(lines.values())


def _place(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """`loc` without the names of union members, which pydantic mixes into it."""
    place: list[str | int] = []
    for part in loc:
        if isinstance(data, Mapping) and (part in data or part not in _UNION_MEMBERS):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            continue  # the name of a member
        place.append(part)
    return tuple(place)


def _line(place: tuple[str | int, ...], detail: Mapping[str, Any]) -> str:
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = list((Source if "source" in place[:-1] else GymMetadata).model_fields)
        hint = nearest(key, known, what="key") or f" (known keys: {', '.join(known)})"
        return f"{_where(place)}: unknown key{hint}"
    if kind == "missing":
        return f"{_where(place)}: missing"
    if kind == "value_error":
        message = str(context["error"])
        if isinstance(detail["input"], Mapping):  # a rule over a whole table: the message names the key itself
            head = _where((*place, ""))
            return f"{head} {message}" if head else message
        wanted = message
    else:
        wanted = _wanted(key, kind, context)
    return f"{_where(place)}: found {_shown(detail['input'])}, wanted {wanted}"


def _wanted(key: str, kind: str, context: Mapping[str, Any]) -> str:
    if key in _WANTED_BY_KEY:
        return _WANTED_BY_KEY[key]
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"')
    if kind == "string_pattern_mismatch":
        return "64 hexadecimal digits"
    bound = {"greater_than": "greater than 0", "greater_than_equal": "of at least 0"}.get(kind, "")
    number = "a whole number" if kind.startswith("int") or key.endswith("_mb") else "a number"
    unit = " of seconds" if key.endswith("_sec") else " of megabytes" if key.endswith("_mb") else ""
    if bound or unit:
        return f"{number}{unit} {bound}".strip()
    return _WANTED_BY_TYPE.get(kind.split("_")[0], f"something else ({kind})")


def _where(place: tuple[str | int, ...]) -> str:
    """In the file's terms: `[agent] timeout_sec`, `[[steps]] 2: verifier.env`, `[task] keywords, item 1`."""
    numbers = [index for index, part in enumerate(place) if isinstance(part, int)]
    if not numbers:
        tables, key = place[:-1], str(place[-1]) if place else ""
        head = f"[{'.'.join(map(str, tables))}]" if tables else ""
        return f"{head} {key}".strip()
    first = numbers[0]
    number = int(place[first]) + 1
    rest = ".".join(str(part + 1 if isinstance(part, int) else part) for part in place[first + 1 :]).rstrip(".")
    if first == len(place) - 1:
        return f"{_where(place[:first])}, item {number}"
    return f"[[{'.'.join(map(str, place[:first]))}]] {number}: {rest}".rstrip(" :") + (":" if not rest else "")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."

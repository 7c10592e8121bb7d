"""Dockerfile steps as cached overlay layers: what `docker build` is to the docker backend.

A layer is a folder named by the hash of everything that went into it: the layers below, the step, its environment and
the content of the files it copies. RUN and COPY happen inside a sandbox of their own, with the network on.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import json
import logging
import os
import posixpath
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agentgym.errors import ImageError, SandboxError
from agentgym.protocols import ExecResult, Image, Limits, SandboxSpec
from agentgym.sandbox.cache import cache_folder, locked
from agentgym.sandbox.context import Context
from agentgym.sandbox.dockerfile import Instruction, assignments, exec_form, expand, parse, words
from agentgym.sandbox.namespaces import hostbase
from agentgym.sandbox.namespaces.client import supervisor
from agentgym.sandbox.namespaces.sandbox import NamespacesImage, NamespacesSandbox

logger = logging.getLogger(__name__)

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
_CERTIFICATES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)

# $1 target, $2 owner, $3 set when it is one file, which may be given a new name. Unpacked apart first: the owner is for
# what is copied, not for what lies there already.
_UNPACK = """
set -e
apart=$(mktemp -d)
tar -x -f - -C "$apart" --no-same-owner
chown -hR -- "$2" "$apart"
shopt -s dotglob nullglob
if [ -n "$3" ] && [ ! -d "$1" ]; then
    mkdir -p -- "$(dirname -- "$1")"
    cp -a --remove-destination -- "$apart"/* "$1"
else
    mkdir -p -- "$1"
    found=("$apart"/*)
    [ ${#found[@]} -eq 0 ] || cp -a --remove-destination -- "${found[@]}" "$1"
fi
rm -rf -- "$apart"
"""

_Act = Callable[[NamespacesSandbox], ExecResult]
"""What makes a layer: runs in the sandbox, the layer being what it wrote."""


@dataclass(slots=True)
class _State:
    """Where a build stands between two steps."""

    base: hostbase.Base
    key: str
    layers: list[Path] = field(default_factory=list)
    """Bottom first."""
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "root"
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])

    def image(self) -> Image:
        mounts = self.base.mounts.under(self.layers)
        return Image("namespaces", self.key, self.workdir, dict(self.env), self.user, NamespacesImage(mounts))

    def variables(self) -> dict[str, str]:
        return {**self.args, **self.env}


def build(context: Path, *, timeout_s: float, memory_mb: int) -> Image:
    """Image of `context`/Dockerfile. ImageError: the Dockerfile's fault; SandboxError: ours."""
    return _Build(context, time.monotonic() + timeout_s, timeout_s, memory_mb).run(parse(context / "Dockerfile"))


def from_reference(reference: str) -> Image:
    """Image of a bare `FROM reference`."""
    return _Build(Path(), time.monotonic() + 600.0, 600.0, 4096).begin(reference).image()


class _Build:
    def __init__(self, context: Path, deadline: float, timeout_s: float, memory_mb: int) -> None:
        self.context = Context(context)
        self.deadline = deadline
        self.timeout_s = timeout_s
        self.limits = Limits(memory_mb=memory_mb, cpus=float(os.cpu_count() or 1), pids=4096, storage_mb=1 << 20)

    def run(self, instructions: list[Instruction]) -> Image:
        arguments: dict[str, str] = {}
        state: _State | None = None
        for step in instructions:
            if state is None:
                if step.keyword == "ARG":
                    arguments |= self._argument(step, arguments)
                elif step.keyword == "FROM":
                    state = self.begin(expand(step.value, arguments).split()[0])
                else:
                    raise ImageError(f"{step}: stands before FROM")
            else:
                self._step(state, step)
        assert state is not None  # parse() refuses a Dockerfile without FROM
        return state.image()

    def begin(self, reference: str) -> _State:
        client = supervisor()

        def make_whiteout(path: Path) -> None:
            client.call("make_whiteout", path=str(path))

        base = hostbase.resolve(reference, cache_folder(), make_whiteout)
        state = _State(base, base.key, env=dict(base.env))
        # the host's cache of libraries knows nothing of /usr/local as it is in here
        self._layer(state, "ldconfig", lambda sandbox: sandbox.exec(["/sbin/ldconfig"]))
        return state

    def _argument(self, step: Instruction, known: dict[str, str]) -> dict[str, str]:
        name, has_default, value = step.value.partition("=")
        if has_default:
            return {name: expand(" ".join(shlex.split(value)), known)}
        return {name: known[name]} if name in known else {}

    def _step(self, state: _State, step: Instruction) -> None:
        keyword, value = step.keyword, step.value
        if keyword == "ENV":
            state.env |= assignments(value, state.variables())
        elif keyword == "ARG":
            state.args |= self._argument(step, state.variables())
        elif keyword == "WORKDIR":
            folder = posixpath.normpath(posixpath.join(state.workdir, expand(value, state.variables()).strip("'\"")))
            make = ["mkdir", "-p", folder]
            self._layer(state, f"WORKDIR {folder}", lambda box: box.exec(make, cwd="/", user="root"), step)
            state.workdir = folder
        elif keyword == "USER":
            state.user = expand(value, state.variables())
        elif keyword == "SHELL":
            if not value.startswith("["):
                raise ImageError(f'{step}: wanted a JSON array such as ["/bin/bash", "-c"]')
            state.shell = words(value)
        elif keyword == "RUN":
            self._run(state, step)
        elif keyword in ("COPY", "ADD"):
            self._copy(state, step)
        # what is left says how to start the image's own service, which a sandbox never does

    def _run(self, state: _State, step: Instruction) -> None:
        argv = exec_form(step.value) or [*state.shell, step.value]
        env = {**state.args, **state.env}
        what = json.dumps(["RUN", argv, env, state.workdir, state.user], sort_keys=True)
        self._layer(state, what, lambda sandbox: self._command(sandbox, argv, {**state.args, **_online()}), step)

    def _command(self, sandbox: NamespacesSandbox, argv: list[str], env: dict[str, str]) -> ExecResult:
        return sandbox.exec(argv, timeout_s=max(1.0, self.deadline - time.monotonic()), env=env)

    def _copy(self, state: _State, step: Instruction) -> None:
        arguments = [expand(word, state.variables()) for word in words(step.value)]
        copied = self.context.pack(step, arguments)
        target = posixpath.join(state.workdir, arguments[-1])
        owner = expand(step.flags.get("chown", "root:root"), state.variables())
        what = json.dumps([step.keyword, target, owner, copied.one_file, hashlib.sha256(copied.archive).hexdigest()])

        def act(sandbox: NamespacesSandbox) -> ExecResult:
            argv = ["bash", "-c", _UNPACK, "COPY", target, owner, "1" if copied.one_file else ""]
            return sandbox.exec(argv, stdin=copied.archive, user="root", cwd="/", timeout_s=300.0)

        self._layer(state, what, act, step)

    def _layer(
        self,
        state: _State,
        what: str,
        act: _Act,
        step: Instruction | None = None,
    ) -> None:
        """Put the layer that `act` makes on top of `state`; from cache when there is one."""
        key = hashlib.sha256(f"{hostbase.FORMAT}\n{state.key}\n{what}".encode()).hexdigest()[:16]
        folder = cache_folder() / "layers" / key
        with locked(folder):
            if not folder.exists():
                self._make(state, folder, act, step)
        os.utime(folder)  # for whoever prunes by age
        state.key = key
        state.layers.append(folder)

    def _make(self, state: _State, folder: Path, act: _Act, step: Instruction | None) -> None:
        logger.info("building layer %s: %s", folder.name, step or "base")
        client = supervisor()
        partial = folder.with_name(f"{folder.name}.partial-{client.owner}")
        partial.mkdir(parents=True)
        spec = SandboxSpec(state.image(), self.limits, network="public", ttl_s=self.timeout_s + 60.0)
        sandbox = NamespacesSandbox(spec, disk=partial)
        try:
            sandbox.start()
            try:
                result = act(sandbox)
            finally:
                sandbox.stop()
            if result.timed_out:
                raise ImageError(f"{step}: the build took longer than {self.timeout_s:.0f} s")
            if result.exit_code != 0:
                tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-30:])
                raise ImageError(f"{step}: exit code {result.exit_code}\n{tail}")
            client.call("freeze", partial=str(partial), folder=str(folder), timeout_s=300.0)
        except SandboxError as error:
            raise type(error)(f"{step}: {error}") from error
        finally:
            if partial.exists():
                client.call("forget", path=str(partial), timeout_s=300.0)


def _online() -> dict[str, str]:
    """What a build step needs of the host's environment to reach package indexes; never part of the image."""
    env = {name: value for name, value in os.environ.items() if name.upper() in _PROXIES}
    env |= dict.fromkeys(_CERTIFICATES, hostbase.CA_BUNDLE)
    settings: dict[str, str] = {}
    for file in ("/etc/pip.conf", Path.home() / ".pip/pip.conf", Path.home() / ".config/pip/pip.conf"):
        parser = configparser.RawConfigParser()
        with contextlib.suppress(configparser.Error):
            parser.read(file)
        if parser.has_section("global"):
            settings |= dict(parser["global"])
    settings |= {name[4:].lower().replace("_", "-"): v for name, v in os.environ.items() if name.startswith("PIP_")}
    for name in _PIP_SETTINGS:
        reachable = " ".join(word for word in settings.get(name, "").split() if not word.startswith(("file:", "/")))
        if reachable:
            env["PIP_" + name.upper().replace("-", "_")] = reachable
    return {**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}

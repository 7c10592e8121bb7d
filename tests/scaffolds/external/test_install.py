from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgym.errors import ImageError, SandboxError, UsageError
from agentgym.protocols import Backend, Image, SandboxSpec
from agentgym.sandbox.cache import cache_folder
from scaffolds.external import AgentSpec
from scaffolds.external.install import installed


def make_spec(name: str, install: str) -> AgentSpec:
    return AgentSpec(name=name, version="1.0", dialect="chat", install=install, command=("x",))


class FolderBackend:
    """Builds into a folder of this machine, where `log` counts the builds; its sandboxes hand the folder out."""

    name = "folder"

    def __init__(self, log: Path, *, fails: Exception | None = None, slow_s: float = 0.0) -> None:
        self.log = log
        self.fails = fails
        self.slow_s = slow_s

    def build(self, context: Path, *, timeout_s: float = 600.0, memory_mb: int = 4096) -> Image:
        with self.log.open("a") as file:
            file.write("build\n")
        time.sleep(self.slow_s)
        return Image(self.name, (context / "install.sh").read_text())

    def create(self, spec: SandboxSpec) -> FolderSandbox:
        return FolderSandbox(self, spec)


class FolderSandbox:
    def __init__(self, backend: FolderBackend, spec: SandboxSpec) -> None:
        self.backend = backend
        self.spec = spec

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def download(self, source: str, target: Path) -> None:
        target.mkdir()
        (target / "program").write_text(self.spec.image.ref)
        if self.backend.fails:
            raise self.backend.fails
        (target / "rest").touch()


def install(log: Path, **options: float) -> None:
    installed(make_spec("slow", "it"), FolderBackend(log, **options))  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and the file that builds are counted in."""
    monkeypatch.setenv("AGENTGYM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "log"


def test_what_is_installed_is_not_installed_again(log: Path) -> None:
    backend = FolderBackend(log)
    spec = make_spec("a", "one")
    folder = installed(spec, backend)  # type: ignore[arg-type]
    assert (folder / "program").read_text() == "one"
    assert installed(spec, backend) == folder  # type: ignore[arg-type]
    other = installed(make_spec("a", "two"), backend)  # type: ignore[arg-type]
    assert (other / "program").read_text() == "two"
    assert log.read_text() == "build\n" * 2


def test_an_install_that_broke_off_leaves_nothing_that_counts(log: Path) -> None:
    spec = make_spec("a", "one")
    with pytest.raises(SandboxError):
        installed(spec, FolderBackend(log, fails=SandboxError("gone")))  # type: ignore[arg-type]
    folder = installed(spec, FolderBackend(log))  # type: ignore[arg-type]
    assert sorted(path.name for path in folder.iterdir()) == ["program", "rest"]
    assert [path.name for path in folder.parent.iterdir()] == [spec.install_key]


def test_a_killed_install_leaves_nothing_that_counts(log: Path) -> None:
    fork = multiprocessing.get_context("fork")
    killed = fork.Process(target=install, args=(log,), kwargs={"slow_s": 60.0})
    killed.start()
    while not log.exists():
        time.sleep(0.01)
    killed.kill()
    killed.join()
    install(log)
    assert log.read_text() == "build\n" * 2


def test_many_processes_install_once(log: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=install, args=(log,), kwargs={"slow_s": 0.2}) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert log.read_text() == "build\n"


@pytest.fixture
def real() -> Iterator[AgentSpec]:
    """An agent of two files and a link, whose folder is removed from the cache after the test."""
    script = 'printf "#!/bin/sh\\necho $VERSION\\n" > $PREFIX/run && chmod +x $PREFIX/run && ln -s run $PREFIX/again'
    spec = make_spec("tests-real", script)
    folder = cache_folder() / "agents" / spec.install_key
    shutil.rmtree(folder, ignore_errors=True)
    yield spec
    shutil.rmtree(folder, ignore_errors=True)


def test_a_program_is_installed_by_a_backend_and_runs_where_it_is_mounted(
    real: AgentSpec, backend: Backend, image: Image
) -> None:
    folder = installed(real, backend)
    sandbox = backend.create(SandboxSpec(image, mounts={"/opt/agents/tests-real": folder}))
    try:
        sandbox.start()
        assert sandbox.exec(["/opt/agents/tests-real/again"]).stdout == "1.0\n"
        assert sandbox.exec("touch /opt/agents/tests-real/x", user="root").exit_code != 0
    finally:
        sandbox.stop()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no luck; exit 3", r"agent tests-bad 1\.0 cannot be installed: .*(\n.*)*no luck"),
        ("true", r"agent tests-bad: its install left nothing in \$PREFIX"),
    ],
)
def test_an_install_that_fails_says_so(script: str, said: str, backend: Backend) -> None:
    spec = make_spec("tests-bad", script)
    with pytest.raises(UsageError, match=said) as caught:
        installed(spec, backend)
    assert not isinstance(caught.value, ImageError)
    assert not (cache_folder() / "agents" / spec.install_key).exists()

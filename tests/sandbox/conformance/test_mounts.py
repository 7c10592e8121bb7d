"""SandboxSpec.mounts: folders of the host, read-only at a place inside, and no part of the sandbox's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.errors import UsageError
from agentgym.protocols import FileChange, Sandbox
from tests.sandbox.host import mounts

PLACES = ["/opt/agents/one", "/srv", "/usr/local/agent", "/app/pkg", "/brand/new/place", "/tmp/agent"]
"""Made for the purpose, there already, on another layer, over files of the image."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A program and a file in a folder of the host."""
    folder = tmp_path / "agent 1: née"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "agent").write_text("#!/bin/sh\necho at work; cat $(dirname $0)/../data\n")
    (folder / "bin" / "agent").chmod(0o755)
    (folder / "data").write_text("of the host\n")
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_is_there_and_read_only(make_sandbox: Callable[..., Sandbox], folder: Path, place: str) -> None:
    sandbox = make_sandbox(mounts={place: folder})
    for user in ("root", "nobody"):
        assert sandbox.exec([f"{place}/bin/agent"], user=user).stdout == "at work\nof the host\n"
    assert sandbox.exec(f"ls {place}").stdout == "bin\ndata\n"
    assert sandbox.read(f"{place}/data") == b"of the host\n"
    for write in ("echo x > {}/new", "echo x >> {}/data", "rm {}/data", "mkdir {}/folder", "chmod 777 {}", "rmdir {}"):
        assert sandbox.exec(write.format(place)).exit_code != 0, write
    assert sorted(path.name for path in folder.rglob("*")) == ["agent", "bin", "data"]


def test_many(make_sandbox: Callable[..., Sandbox], folder: Path) -> None:
    sandbox = make_sandbox(mounts={**dict.fromkeys(PLACES, folder), "/opt/agents/two": folder / "bin"})
    for place in PLACES:
        assert sandbox.exec(f"cat {place}/data").stdout == "of the host\n"
    assert (
        sandbox.exec("ls /opt/agents /opt/agents/two").stdout == "/opt/agents:\none\ntwo\n\n/opt/agents/two:\nagent\n"
    )
    assert sandbox.diff() == []


def test_a_link_to_the_folder(make_sandbox: Callable[..., Sandbox], folder: Path) -> None:
    link = folder.with_name("link")
    link.symlink_to(folder)
    assert make_sandbox(mounts={"/opt/agent": link}).exec("ls /opt/agent").stdout == "bin\ndata\n"


def test_is_no_change(make_sandbox: Callable[..., Sandbox], folder: Path) -> None:
    """Neither what is mounted nor what was made to mount it on; what the agent writes beside it is."""
    sandbox = make_sandbox(mounts={place: folder for place in PLACES if not place.startswith("/tmp")})
    assert sandbox.diff() == []
    sandbox.exec("echo x > /opt/agents/beside; echo x > /brand/new/beside; echo x > /app/new; rm /app/notes.txt")
    assert sandbox.diff() == [
        FileChange("/app/new", "added"),
        FileChange("/app/notes.txt", "deleted"),
        FileChange("/brand/new/beside", "added"),
        FileChange("/opt/agents/beside", "added"),
    ]


def test_what_it_hides_is_unharmed(sandbox: Sandbox, make_sandbox: Callable[..., Sandbox], folder: Path) -> None:
    expected = sandbox.exec("ls -lR pkg; stat -c '%a %U %y' pkg /opt /srv").stdout
    covered = make_sandbox(mounts={"/app/pkg": folder, "/opt/x": folder, "/srv": folder})
    assert covered.exec("ls pkg").stdout == "bin\ndata\n"
    image = covered.snapshot()
    assert (
        make_sandbox(image=image).exec("ls -lR pkg; stat -c '%a %U' pkg /opt /srv").stdout.splitlines()[:-3]
        == (expected.splitlines()[:-3])
    )


def test_forks_have_it_and_snapshots_have_not(
    make_sandbox: Callable[..., Sandbox], forks: Callable[..., Sandbox], folder: Path
) -> None:
    places = {"/opt/agents/one": folder, "/app/pkg": folder}
    sandbox = make_sandbox(mounts=places)
    sandbox.exec("echo mine > /opt/agents/mine")
    fork = forks(forks(sandbox))
    look = "cat /opt/agents/one/data /app/pkg/data /opt/agents/mine"
    assert fork.spec.mounts == places
    assert fork.exec(look).stdout == "of the host\nof the host\nmine\n"
    assert fork.exec("touch /opt/agents/one/x").exit_code != 0
    assert fork.diff() == sandbox.diff() == [FileChange("/opt/agents/mine", "added")]

    image = fork.snapshot()
    plain, again = make_sandbox(image=image), make_sandbox(image=image, mounts=places)
    assert plain.exec("ls -A /opt/agents/one 2>/dev/null; cat /opt/agents/mine; ls pkg").stdout.startswith("mine\n")
    assert "data" not in plain.exec("ls pkg").stdout
    assert again.exec(look).stdout == "of the host\nof the host\nmine\n"
    assert again.diff() == []


@pytest.mark.parametrize(
    "place",
    ["opt/agent", "", "/", "//opt", "/opt//x", "/opt/", "/opt/../etc", "/./opt", "/proc/x", "/sys", "/dev/shm/x"],
)
def test_places_that_are_refused(create_sandbox: Callable[..., Sandbox], folder: Path, place: str) -> None:
    with pytest.raises(UsageError) as raised:
        create_sandbox(mounts={place: folder}).start()
    assert place in str(raised.value)
    assert "\n" not in str(raised.value)


def test_places_that_only_sound_alike(make_sandbox: Callable[..., Sandbox], folder: Path) -> None:
    sandbox = make_sandbox(mounts={"/devices": folder, "/process/..x": folder})
    assert sandbox.exec("cat /devices/data /process/..x/data").stdout == "of the host\nof the host\n"


@pytest.mark.parametrize("name", ["missing", "data"])
def test_sources_that_are_no_folders(create_sandbox: Callable[..., Sandbox], folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"/opt/agent: {folder / name} is no folder"):
        create_sandbox(mounts={"/opt/agent": folder / name}).start()


def test_nothing_is_left(make_sandbox: Callable[..., Sandbox], folder: Path) -> None:
    sandbox = make_sandbox(mounts={"/opt/agent": folder, "/app/pkg": folder})
    sandbox.stop()
    assert sorted(path.name for path in folder.rglob("*")) == ["agent", "bin", "data"]
    assert not [line for line in mounts() if folder.parent.name in line]

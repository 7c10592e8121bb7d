"""Folders of the host that are mounted into a sandbox cannot be changed, nor left upwards."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentgym.errors import SandboxError
from agentgym.protocols import Sandbox
from tests.security.attempt import attempt

pytestmark = pytest.mark.security


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is mounted, beside what is not."""
    folder = tmp_path / "agent"
    folder.mkdir()
    (folder / "file").write_text("of the host\n")
    (folder / "sub").mkdir()
    (tmp_path / "secret").write_text("of the host, too\n")
    (folder / "up").symlink_to("../secret")
    (folder / "absolute").symlink_to(tmp_path / "secret")
    return folder


@pytest.fixture
def mounted(make_sandbox: Callable[..., Sandbox], folder: Path) -> Iterator[Sandbox]:
    """A sandbox with it at /opt/agent; the folder must be as it was afterwards."""
    before = state(folder)
    yield make_sandbox(mounts={"/opt/agent": folder})
    assert state(folder) == before


def state(folder: Path) -> list[tuple[str, bytes, int, int, int, int]]:
    return [
        (
            str(path),
            path.read_bytes() if path.is_file() else b"",
            info.st_mode,
            info.st_uid,
            info.st_nlink,
            info.st_mtime_ns,
        )
        for path in sorted([folder, *folder.rglob("*")])
        if (info := path.lstat())
    ]


@pytest.mark.parametrize(
    "body",
    [
        "os.open('/opt/agent/file', os.O_WRONLY)",
        "os.open('/opt/agent/new', os.O_WRONLY | os.O_CREAT)",
        "os.open('/opt/agent', os.O_WRONLY | os.O_TMPFILE)",
        "os.open('/proc/self/fd/%d' % os.open('/opt/agent/file', os.O_RDONLY), os.O_WRONLY)",
        "os.truncate('/opt/agent/file', 0)",
        "os.unlink('/opt/agent/file')",
        "os.rename('/opt/agent/file', '/opt/agent/sub/file')",
        "os.link('/opt/agent/file', '/opt/agent/second')",
        "os.symlink('/etc/passwd', '/opt/agent/link')",
        "os.mkdir('/opt/agent/folder')",
        "os.rmdir('/opt/agent/sub')",
        "os.mkfifo('/opt/agent/fifo')",
        "os.chmod('/opt/agent/file', 0o4777)",
        "os.chown('/opt/agent', 0, 0)",
        "os.utime('/opt/agent/file')",
        "os.setxattr('/opt/agent/file', 'user.evil', b'1')",
        "s = socket.socket(socket.AF_UNIX); s.bind('/opt/agent/socket')",
    ],
)
def test_root_cannot_write(mounted: Sandbox, body: str) -> None:
    assert attempt(mounted, body) == "EROFS"


def test_no_second_name_outside_of_it(mounted: Sandbox) -> None:
    assert attempt(mounted, "os.link('/opt/agent/file', '/opt/second')") == "EXDEV"
    assert attempt(mounted, "os.rename('/opt/agent', '/opt/elsewhere')") in ("EBUSY", "EXDEV")
    assert attempt(mounted, "os.rmdir('/opt/agent')") == "EBUSY"


@pytest.mark.parametrize(
    "body",
    [
        "call('mount', None, b'/opt/agent', None, 32, None)",  # MS_REMOUNT
        "call('mount', None, b'/opt/agent', None, 32 | 4096, None)",  # of the mount alone
        "call('mount', b'/opt/agent', b'/mnt', None, 4096, None)",
        "call('umount2', b'/opt/agent', 0)",
        "call('umount2', b'/opt/agent', 2)",
        "call('syscall', 442, -100, b'/opt/agent', 0, struct.pack('4Q', 0, 1, 0, 0), 32)",  # mount_setattr
        "call('syscall', 428, -100, b'/opt/agent', 1)",  # open_tree, a copy
        "call('unshare', 0x20000)",
        "call('unshare', 0x10020000)",
    ],
)
def test_it_cannot_be_mounted_anew(mounted: Sandbox, body: str) -> None:
    assert attempt(mounted, body) in ("EPERM", "ENOSYS", "ENOSPC")


def test_nothing_beside_or_above_it(mounted: Sandbox, folder: Path) -> None:
    assert mounted.exec("cd /opt/agent/sub/../.. && pwd -P && ls").stdout == "/opt\nagent\n"
    body = "os.chdir('/opt/agent'); print(open('../secret').read())"
    assert attempt(mounted, body) == "ENOENT"
    assert mounted.exec(["ls", str(folder)]).exit_code != 0


@pytest.mark.parametrize("name", ["up", "absolute"])
def test_links_in_it_stay_inside(mounted: Sandbox, name: str) -> None:
    assert attempt(mounted, f"open('/opt/agent/{name}')") == "ENOENT"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices and programs of root's")
def test_devices_and_set_uid_programs_in_it_give_nothing(make_sandbox: Callable[..., Sandbox], folder: Path) -> None:
    os.mknod(folder / "mem", 0o20666, os.makedev(1, 1))
    (folder / "rootshell").write_bytes(Path("/bin/bash").read_bytes())
    (folder / "rootshell").chmod(0o4755)
    sandbox = make_sandbox(mounts={"/opt/agent": folder})
    assert attempt(sandbox, "os.open('/opt/agent/mem', os.O_RDONLY)") in ("EACCES", "EPERM")
    assert sandbox.exec("/opt/agent/rootshell -p -c 'id -u'", user="nobody").stdout == "65534\n"


def test_it_cannot_be_displaced_in_a_fork(mounted: Sandbox, forks: Callable[..., Sandbox]) -> None:
    mounted.exec("mv /opt /elsewhere; rm -rf /opt; ln -s /etc /opt; mkdir -p /opt; mount --move /opt/agent /mnt")
    assert forks(mounted).exec("cat /opt/agent/file").stdout == "of the host\n"


@pytest.mark.parametrize("way", ["/oldroot", "/../../../..", "/proc/1/root", "/newroot/../oldroot"])
def test_a_snapshot_cannot_lead_the_mount_to_the_host(
    sandbox: Sandbox, make_sandbox: Callable[..., Sandbox], folder: Path, way: str
) -> None:
    """Links that the agent made lie on the way to the mount point: nothing is made or covered out there."""
    canary = folder.parent / f"canary-{secrets.token_hex(8)}"
    sandbox.exec(f"rm -rf /opt; ln -s {way}{canary} /opt; rm -f /etc/resolv.conf; ln -s {way}{canary} /etc/resolv.conf")
    image = sandbox.snapshot()
    for spec in ({"mounts": {"/opt/agent": folder}}, {"network": "public"}):
        try:
            made = make_sandbox(image=image, **spec)
        except SandboxError:
            continue
        assert made.exec("true").exit_code == 0
        assert not canary.exists()
    assert not canary.exists()

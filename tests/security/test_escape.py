"""Attempts to leave the sandbox's file system, change its base, or steer the kernel."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.protocols import Image, Sandbox
from tests.security.attempt import attempt

pytestmark = pytest.mark.security

DENIED = {"EPERM", "EACCES"}
MASKED = {f"/proc/{name}" for name in ("kcore", "keys", "latency_stats", "sched_debug", "timer_list", "timer_stats")}
"""Backends lay /dev/null over these, which may be opened."""
WATCHED = {f"/proc/pressure/{name}" for name in ("cpu", "io", "memory", "irq")}
"""Written to by whoever wants to be woken at a threshold; nobody else notices."""


def fingerprint(path: Path) -> tuple[str, os.stat_result]:
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat()


@pytest.mark.parametrize(
    "attack",
    [
        "echo overwritten >> {path}",
        "echo overwritten > {path}",
        "rm {path}",
        "chmod 777 {path} && chown 65534 {path}",
        "mv {path} /tmp/moved && ln -s /tmp/moved {path}",
        "ln {path} /usr/bin/second-name && echo overwritten >> /usr/bin/second-name",
        "python3 -c \"import mmap; m = mmap.mmap(open('{path}', 'r+b').fileno(), 0); m[:4] = b'evil'; m.flush()\"",
        "cp {path} /tmp/self && exec 9<> {path} && echo overwritten > /proc/self/fd/9",
        "touch -d 2001-01-01 {path}",
        "setfattr -n user.evil -v 1 {path}",
        "truncate -s 0 {path}",
        "dd if=/dev/zero of={path} bs=1 count=4 conv=notrunc",
    ],
    ids=[
        "append",
        "write",
        "remove",
        "mode",
        "move",
        "hardlink",
        "mmap",
        "fd",
        "times",
        "xattr",
        "truncate",
        "in-place",
    ],
)
def test_base_files_change_in_this_sandbox_alone(make_sandbox: Callable[..., Sandbox], attack: str) -> None:
    path = Path("/usr/bin/env")
    before = fingerprint(path)
    sandbox = make_sandbox()
    look = f"sha256sum {path}; stat -c '%a %u %Y %s %h' {path}; ls /usr/bin/second-name 2>&1"
    clean = sandbox.exec(look).stdout
    sandbox.exec(attack.format(path=path))
    assert fingerprint(path)[0] == before[0], "the host's own file was changed"
    for field in ("st_mode", "st_uid", "st_mtime_ns", "st_ino", "st_nlink", "st_size"):
        assert getattr(fingerprint(path)[1], field) == getattr(before[1], field), field
    assert make_sandbox().exec(look).stdout == clean


def test_image_layers_change_in_this_sandbox_alone(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    look = "find . -printf '%p %m %s %T@\\n' | sort; cat notes.txt pkg/*; ls /etc | wc -l"
    clean = sandbox.exec(look).stdout
    sandbox.exec("echo x >> notes.txt; rm -r pkg deep; chmod 777 tool.sh; mkdir pkg; touch new; rm -r /etc/*")
    assert make_sandbox().exec(look).stdout == clean


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("call('mount', b'none', b'/mnt', b'tmpfs', 0, None)", DENIED),
        ("call('mount', b'proc', b'/mnt', b'proc', 0, None)", DENIED),
        ("call('mount', b'sysfs', b'/mnt', b'sysfs', 0, None)", DENIED),
        ("call('mount', b'cgroup', b'/mnt', b'cgroup2', 0, None)", DENIED),
        ("call('mount', b'/', b'/mnt', None, 4096, None)", DENIED),
        ("call('mount', None, b'/', None, 32 | 4096, None)", DENIED),
        ("call('mount', None, b'/proc', None, 32, None)", DENIED),
        ("call('umount2', b'/proc', 2)", DENIED),
        ("call('umount2', b'/', 2)", DENIED),
        ("call('syscall', 155, b'/', b'/mnt')", DENIED),
        ("call('syscall', 428, -100, b'/', 1)", DENIED | {"ENOSYS"}),
        ("call('syscall', 430, b'tmpfs', 0)", DENIED | {"ENOSYS"}),
        ("call('unshare', 0x00020000)", DENIED),
        ("call('unshare', 0x10000000)", DENIED | {"ENOSPC", "EINVAL"}),
        ("call('unshare', 0x20000000)", DENIED),
        ("call('unshare', 0x02000000)", DENIED),
        ("call('syscall', 56, 0x10000000 | 17, 0, 0, 0, 0)", DENIED | {"ENOSPC", "EINVAL"}),
        ("call('setns', os.open('/proc/1/ns/mnt', os.O_RDONLY), 0)", DENIED),
        ("call('syscall', 304, 3, ctypes.create_string_buffer(64), 0)", DENIED),
        ("call('syscall', 175, None, 0, b'')", DENIED),
        ("call('syscall', 246, 0, 0, 0, 0)", DENIED),
        ("call('syscall', 169, 1, 2, 3, 0)", DENIED),
        ("call('syscall', 321, 5, ctypes.create_string_buffer(128), 128)", DENIED),
        ("call('syscall', 298, ctypes.create_string_buffer(128), 0, -1, -1, 0)", DENIED | {"ENOENT", "EINVAL"}),
        ("call('swapon', b'/app/notes.txt', 0)", DENIED),
        ("call('acct', b'/app/notes.txt')", DENIED | {"ENOSYS"}),
        ("call('iopl', 3)", DENIED | {"ENOSYS"}),
        ("call('syscall', 164, ctypes.create_string_buffer(16), None)", DENIED),
        ("call('sethostname', b'evil', 4) or print(open('/proc/sys/kernel/hostname').read())", DENIED),
        ("os.setpriority(os.PRIO_PROCESS, 0, -20)", DENIED),
        ("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 24))", DENIED | {"ValueError"}),
    ],
    ids=[
        "mount-tmpfs", "mount-proc", "mount-sysfs", "mount-cgroup", "bind-mount", "remount-root", "remount-proc",
        "umount-proc", "umount-root", "pivot-root", "open-tree", "fsopen", "unshare-mount", "unshare-user",
        "unshare-pid", "unshare-cgroup", "clone-user", "setns", "open-by-handle", "init-module", "kexec", "reboot",
        "bpf", "perf", "swapon", "acct", "iopl", "settimeofday", "sethostname", "nice", "nofile",
    ],
)  # fmt: skip
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are x86_64's")
def test_system_calls(sandbox: Sandbox, body: str, expected: set[str]) -> None:
    """reboot and the modules are asked for with arguments that are refused where the capability is not."""
    if "setrlimit" in body:
        body = f"try:\n    {body}\nexcept ValueError:\n    print('ValueError'); raise SystemExit"
    assert attempt(sandbox, body) in expected


def test_raw_disk(sandbox: Sandbox) -> None:
    """The block device under the host's root, made by hand."""
    device = Path("/").stat().st_dev
    body = f"""
        os.mknod("/app/disk", 0o60600, {device})
        os.open("/app/disk", os.O_RDONLY)
    """
    assert attempt(sandbox, body) in ("EPERM", "EACCES", "ENXIO")
    body = """
        os.mknod("/dev/shm/mem", 0o20600, os.makedev(1, 1))
        os.open("/dev/shm/mem", os.O_RDONLY)
    """
    assert attempt(sandbox, body) in ("EPERM", "EACCES")


def test_chroot_and_dot_dot(sandbox: Sandbox, tmp_path: Path) -> None:
    canary = tmp_path / f"canary-{secrets.token_hex(8)}"
    canary.write_text("host")
    body = f"""
        os.makedirs("/tmp/jail", exist_ok=True)
        top = os.open("/", os.O_RDONLY)
        os.chroot("/tmp/jail")
        os.fchdir(top)
        for _ in range(100):
            os.chdir("..")
        os.chroot(".")
        print(open({str(canary)!r}).read())
    """
    assert attempt(sandbox, body) in ("ENOENT", "EPERM")
    plain = f"print(open('/' + '../' * 100 + {str(canary)!r}.lstrip('/')).read())"
    assert attempt(sandbox, plain) == "ENOENT"


def test_open_descriptors_to_the_host(sandbox: Sandbox) -> None:
    """A folder that somebody left open would be a way out (openat with ..)."""
    body = """
        for fd in range(3, 1024):
            try:
                print("open:", fd, os.readlink(f"/proc/self/fd/{fd}"))
            except FileNotFoundError:
                pass
    """
    assert attempt(sandbox, body) == "ALLOWED"


@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/panic",
        "/proc/sys/kernel/pid_max",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/file-max",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/proc/1/uid_map",
        "/proc/self/uid_map",
        "/sys/kernel/uevent_helper",
        "/sys/power/state",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ],
)
def test_kernel_settings(sandbox: Sandbox, path: str) -> None:
    """Opened for writing, and where that is allowed, what was read is written back: refused, and nothing changed."""
    before = _content(path)
    body = f"""
        fd = os.open({path!r}, os.O_WRONLY)
        if {path!r} not in ("/proc/sysrq-trigger", "/sys/power/state", "/proc/sys/vm/drop_caches"):
            try:
                same = open({path!r}, "rb").read()
            except OSError:
                same = b"0 0 1"
            os.write(fd, same or b"0 0 1")
    """
    assert attempt(sandbox, body) in ("EROFS", "EACCES", "EPERM", "ENOENT")
    assert _content(path) == before


def test_nothing_of_the_kernel_can_be_written(sandbox: Sandbox) -> None:
    """Root inside may be root's uid outside, so the mode of a file protects nothing. They are opened, not written."""
    body = """
        def walk(folder):
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    if folder != "/proc" or not entry.name.isdigit():
                        yield from walk(entry.path)
                elif not entry.is_symlink() and entry.stat().st_mode & 0o222:
                    yield entry.path

        for top in ("/proc", "/sys"):
            for path in walk(top):
                try:
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                    print(path)
                except OSError:
                    pass
    """
    assert set(attempt(sandbox, body).split()[:-1]) <= MASKED | WATCHED


def test_oom_killer_cannot_be_steered(sandbox: Sandbox) -> None:
    """A process that the kernel never picks would let its sandbox's memory run over."""
    assert attempt(sandbox, "os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-1000')") == "EACCES"


def test_control_groups_cannot_be_loosened(sandbox: Sandbox) -> None:
    body = """
        names = ("memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us", "cgroup.procs")
        names += ("tasks", "release_agent")
        for folder, _, files in os.walk("/sys/fs/cgroup"):
            for name in set(files) & set(names):
                try:
                    fd = os.open(f"{folder}/{name}", os.O_WRONLY)
                except OSError as error:
                    assert error.errno in (errno.EROFS, errno.EACCES, errno.EPERM), error
                    continue
                print("writable:", folder, name)
        for folder, _, files in os.walk("/sys/fs/cgroup"):
            if "cgroup.procs" in files:
                try:
                    os.mkdir(f"{folder}/evil")
                    print("made a group in", folder)
                except OSError as error:
                    assert error.errno in (errno.EROFS, errno.EACCES, errno.EPERM), error
    """
    assert attempt(sandbox, body) == "ALLOWED", "ALLOWED alone: nothing was printed before it"


def test_core_dumps_stay_inside(sandbox: Sandbox) -> None:
    """A dump must not be written by the host's handler into the host's folders, with a name of the agent's choice."""
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    sandbox.exec("ulimit -c unlimited; bash -c 'kill -SEGV $$'")
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    if not before.startswith(("|", "/")):
        assert not list(Path.cwd().glob("core*"))


def test_set_uid_programs_give_nothing(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.exec("cp /bin/bash /app/rootshell && chmod 4755 /app/rootshell")
    assert sandbox.exec("/app/rootshell -p -c 'id -u'", user="nobody").stdout == "65534\n"
    for command in ("su -c id root < /dev/null", "mount -t tmpfs none /mnt", "passwd -d root"):
        result = sandbox.exec(command, user="nobody")
        assert result.exit_code != 0, command


def test_steps_of_a_build_are_as_confined(build: Callable[..., Image], make_sandbox: Callable[..., Sandbox]) -> None:
    program = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
for name, arguments in [
    ("mount", (b"none", b"/mnt", b"tmpfs", 0, None)), ("unshare", (0x00020000,)), ("swapon", (b"/etc/passwd", 0)),
]:
    print(name, errno.errorcode.get(ctypes.get_errno(), "ALLOWED") if getattr(libc, name)(*arguments) else "ALLOWED")
try:
    os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)
    print("core_pattern ALLOWED")
except OSError as error:
    print("core_pattern", errno.errorcode[error.errno])
"""
    image = build(
        "FROM python:3.11-bookworm\nCOPY evil.py /evil.py\nRUN python3 /evil.py > /loot\n", {"evil.py": program}
    )
    loot = dict(line.split() for line in make_sandbox(image=image).exec("cat /loot").stdout.splitlines())
    assert loot.pop("core_pattern") in ("EROFS", "EACCES", "EPERM")
    assert loot == {"mount": "EPERM", "unshare": "EPERM", "swapon": "EPERM"}


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""

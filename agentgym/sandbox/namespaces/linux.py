"""The system calls that Python's `os` lacks, for the namespaces backend. Knows no sandbox.

Numbers and layouts: linux/{sched,mount,prctl,capability,seccomp,filter,audit}.h. Everything is imported and resolved at
load time: the supervisor calls in here from inside a sandbox's mount namespace, where nothing may be loaded from disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import select
import struct

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 0x40000
MNT_DETACH = 2

_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442
"""The same number on every machine."""
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _MOVE_MOUNT_EMPTY_PATHS, _RESOLVE_IN_ROOT = 1, 0x04 | 0x40, 0x10
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 0x1, 0x2, 0x4

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
with open("/proc/sys/kernel/cap_last_cap") as _file:
    _LAST_CAPABILITY = int(_file.read())

CAPABILITIES = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5, "CAP_SETGID": 6,
    "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_NET_BIND_SERVICE": 10, "CAP_SYS_CHROOT": 18, "CAP_SETFCAP": 31,
}  # fmt: skip
"""What root keeps in a sandbox: Docker's default set without NET_RAW, MKNOD and AUDIT_WRITE."""

# System calls refused with EPERM, as Docker's default profile does where no capability stands behind them.
# name: (x86_64, aarch64)
_DENIED = {
    "ptrace": (101, 117), "syslog": (103, 116), "_sysctl": (156, None), "acct": (163, 89), "settimeofday": (164, 170),
    "mount": (165, 40), "umount2": (166, 39), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142),
    "init_module": (175, 105), "delete_module": (176, 106), "quotactl": (179, 60), "lookup_dcookie": (212, 18),
    "mbind": (237, 235), "set_mempolicy": (238, 237), "kexec_load": (246, 104), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "migrate_pages": (256, 238), "unshare": (272, 97),
    "move_pages": (279, 239), "perf_event_open": (298, 241), "open_by_handle_at": (304, 265), "setns": (308, 268),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "finit_module": (313, 273),
    "kexec_file_load": (320, 294), "bpf": (321, 280), "userfaultfd": (323, 282), "pivot_root": (155, 41),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "io_uring_setup": (425, 425),
}  # fmt: skip

_SOCKET, _AF_VSOCK = (41, 198), 40

_libc = ctypes.CDLL(None, use_errno=True)
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(platform.machine())


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def readable(fd: int, timeout_s: float) -> bool:
    """Whether something can be read from `fd` within the time, its end included. (select.select ends at fd 1023.)"""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(min(timeout_s, 2e6) * 1000))


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int) -> None:
    """Join the namespaces `flags` of the process behind the pidfd `fd` (Linux 5.8)."""
    _check(_libc.setns(fd, flags), "setns")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    kind_bytes = kind.encode() if kind else None
    done = _libc.mount(source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), options.encode())
    _check(done, f"mount {kind or 'bind'} on {target}")


def bind_read_only(source: str, root: str, target: str) -> None:
    """Mount the folder or file `source`, with what is mounted below it, on `target` below `root`: nothing in there can
    be written, is a device or raises a user.

    It is made so before it is attached, and links on the way to `target` lead nowhere beyond `root`: they may be an
    agent's.
    """
    what = f"mount {source} on {target}"
    with contextlib.ExitStack() as opened:
        top = os.open(root, os.O_PATH | os.O_DIRECTORY)
        opened.callback(os.close, top)
        how = struct.pack("=3Q", os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT)
        point = _syscall(what, _OPENAT2, top, target.encode(), how, len(how))
        opened.callback(os.close, point)
        flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
        tree = _syscall(what, _OPEN_TREE, _AT_FDCWD, source.encode(), flags)
        opened.callback(os.close, tree)
        attributes = struct.pack("=4Q", _MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV, 0, 0, 0)
        _syscall(what, _MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, attributes, len(attributes))
        _syscall(what, _MOVE_MOUNT, tree, b"", point, b"", _MOVE_MOUNT_EMPTY_PATHS)


def _syscall(what: str, number: int, *arguments: int | bytes) -> int:
    words = (ctypes.c_long(word) if isinstance(word, int) else word for word in arguments)
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    _check(min(result, 0), what)
    return result


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def _prctl(option: int, argument: int = 0, pointer: int = 0) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(argument), ctypes.c_ulong(pointer), 0, 0), f"prctl {option}")


def die_with_parent(signal_number: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Become the parent of every orphaned descendant."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_from_peers() -> None:
    """Deny same-user processes this one's /proc/PID/{exe,mem,fd} and ptrace, until it executes a program."""
    _prctl(_PR_SET_DUMPABLE, 0)


def drop_privileges(uid: int, gid: int, groups: list[int]) -> None:
    """Become uid:gid with the sandbox's capabilities (none unless root), no way to more, and the seccomp filter."""
    keep = 0
    for number in CAPABILITIES.values():
        keep |= 1 << number
    for number in range(_LAST_CAPABILITY + 1):
        if not keep >> number & 1:
            _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if uid == 0:
        header = struct.pack("=Ii", 0x20080522, 0)
        low, high = keep & 0xFFFFFFFF, keep >> 32
        data = struct.pack("=6I", low, low, 0, high, high, 0)
        _check(_libc.capset(header, data), "capset")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if SECCOMP_FILTER:
        program = struct.pack("HxxxxxxP", len(SECCOMP_FILTER) // 8, ctypes.addressof(_filter_buffer))
        buffer = ctypes.create_string_buffer(program)
        _prctl(_PR_SET_SECCOMP, 2, ctypes.addressof(buffer))


def _seccomp_filter() -> bytes:
    """Classic BPF: kill foreign architectures, EPERM for `_DENIED`, allow the rest. Empty on other machines."""
    if _AUDIT_ARCH is None:
        return b""
    column = 0 if platform.machine() == "x86_64" else 1
    denied = sorted(n for numbers in _DENIED.values() if (n := numbers[column]) is not None)
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    allow, kill, eperm = 0x7FFF0000, 0x80000000, 0x00050001

    def op(code: int, jump_true: int, jump_false: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, jump_true, jump_false, value)

    program = [op(load, 0, 0, 4), op(equal, 1, 0, _AUDIT_ARCH), op(give, 0, 0, kill), op(load, 0, 0, 0)]
    if column == 0:  # the x32 ABI numbers its calls from bit 30 up
        program += [op(at_least, 0, 1, 0x40000000), op(give, 0, 0, kill)]
    # no network namespace holds AF_VSOCK: it reaches the hypervisor from anywhere
    program += [op(equal, 0, 4, _SOCKET[column]), op(load, 0, 0, 16), op(equal, 1, 0, _AF_VSOCK)]
    program += [op(give, 0, 0, allow), op(give, 0, 0, eperm)]
    for index, number in enumerate(denied):
        program.append(op(equal, len(denied) - index, 0, number))
    program += [op(give, 0, 0, allow), op(give, 0, 0, eperm)]
    return b"".join(program)


SECCOMP_FILTER = _seccomp_filter()
_filter_buffer = ctypes.create_string_buffer(SECCOMP_FILTER, max(1, len(SECCOMP_FILTER)))

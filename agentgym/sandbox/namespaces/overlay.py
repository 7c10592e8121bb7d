"""An overlay's upper folder beside what it covers: what differs, and copies of it. Runs in the supervisor.

Never follows a link: the agent made them.
"""

from __future__ import annotations

import errno
import os
import stat

_PATH_MAX = 4096


def copy_trees(uppers: list[str], target: str) -> None:
    """`…/INDEX/u` to `target/INDEX/u` as they are: whiteouts, opaque marks, links, owners and modes included."""
    above = os.path.dirname(os.path.dirname(uppers[0]))
    os.chdir(above)
    run("cp", "-a", "--reflink=auto", "--parents", "-t", target, *(os.path.relpath(path, above) for path in uppers))


def run(*argv: str) -> None:
    """A program of the host's, to its end. OSError when it fails."""
    pid = os.posix_spawnp(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != 0:
        raise OSError(errno.EIO, f"{argv[0]} ended with {code}")


def compare(upper: str, lowers: list[str], prefix: str, skipped: set[str], found: list[tuple[str, str]]) -> None:
    """Walk one upper folder beside what it covers. Never follows a link: the agent made them. What lies deeper than a
    path can say is left out: no program reaches it by name."""
    if len(upper) + 256 > _PATH_MAX:
        return
    for name in os.listdir(upper):
        path, over = f"{prefix}/{name}", os.path.join(upper, name)
        if path in skipped:
            continue
        below, is_folder = _covered(lowers, name), stat.S_ISDIR(os.lstat(over).st_mode)
        folders = [lower for lower in below if stat.S_ISDIR(os.lstat(lower).st_mode)]
        if _is_whiteout(over):
            found.extend((gone, "deleted") for gone in _tree(below, path))
            continue
        if not below:
            found.append((path, "added"))
        elif not _same(over, below[0]):
            found.append((path, "modified"))
        if not is_folder:
            found.extend((gone, "deleted") for gone in _tree(folders, path)[1:])
            continue
        if _is_opaque(over):
            for hidden in _names(folders) - set(os.listdir(over)):
                found.extend((gone, "deleted") for gone in _tree(_covered(folders, hidden), f"{path}/{hidden}"))
        compare(over, folders, path, skipped, found)


def _same(over: str, below: str) -> bool:
    """Whether a copied-up entry is as it was: kind, mode, owner, and content of what is no folder."""
    a, b = os.lstat(over), os.lstat(below)
    if (a.st_mode, a.st_uid, a.st_gid) != (b.st_mode, b.st_uid, b.st_gid):
        return False
    if stat.S_ISDIR(a.st_mode):
        return True
    if stat.S_ISLNK(a.st_mode):
        return os.readlink(over) == os.readlink(below)
    if not stat.S_ISREG(a.st_mode) or a.st_size != b.st_size:
        return False
    with open(over, "rb") as first, open(below, "rb") as second:
        while chunk := first.read(1 << 20):
            if chunk != second.read(1 << 20):
                return False
    return True


def _tree(places: list[str], path: str) -> list[str]:
    """`path` and every path below it, as the stack of lower entries `places` (upmost first) shows them."""
    if not places:
        return []
    folders = [place for place in places if stat.S_ISDIR(os.lstat(place).st_mode)]
    paths = [path]
    for name in _names(folders):
        paths += _tree(_covered(folders, name), f"{path}/{name}")
    return paths


def _names(folders: list[str]) -> set[str]:
    return {name for folder in folders for name in os.listdir(folder)}


def _covered(lowers: list[str], name: str) -> list[str]:
    """`name` in the layers below, upmost first, down to where a layer hides the rest."""
    found: list[str] = []
    for lower in lowers:
        path = os.path.join(lower, name)
        if not os.path.lexists(path):
            continue
        if _is_whiteout(path):
            break
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
        if found and not is_folder:
            break  # a file under a folder is hidden by it
        found.append(path)
        if not is_folder or _is_opaque(path):
            break
    return found


def _is_whiteout(path: str) -> bool:
    info = os.lstat(path)
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, "user.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False

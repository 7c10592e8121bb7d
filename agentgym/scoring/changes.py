"""What an agent changed below the work directory: taken from one sandbox, put into another, shown as a patch.

The agent rules its own sandbox, tar and find included. So the archive that comes out of it is rebuilt here: only files,
folders and links that the backend says have changed, none through a link, modes as git keeps them.
"""

from __future__ import annotations

import fnmatch
import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agentgym.errors import SandboxError, SandboxLost
from agentgym.protocols import FileChange, Sandbox
from agentgym.scoring.patch import render

PROTECTED_NAMES = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg", "pyproject.toml",
    "sitecustomize", "sitecustomize.*", "usercustomize", "usercustomize.*", "pytest.py", "_pytest",
    "*.pth", "*.dist-info", "*.egg-info",
)  # fmt: skip
"""Never taken over: with these a work tree would change how its tests are run and reported. Upper case counts as lower,
as it does where Python looks for plugins."""

_IGNORED_NAMES = (".git", "__pycache__", "*.pyc", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")
_LIMIT_BYTES = 256 << 20


class NotTaken(Exception):
    """The sandbox is alive and the changes cannot be had: the agent broke its tools, or left too much."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths are relative to the work directory."""

    written: tuple[str, ...]
    deleted: tuple[str, ...]
    refused: tuple[str, ...]
    """Changed, but protected: left behind."""
    archive: bytes
    """A tar of what was written."""


def take(sandbox: Sandbox, workdir: str, protected: Sequence[str] = ()) -> Changes:
    """What differs from the image below `workdir`. Raises SandboxError, NotTaken."""
    written, deleted, refused = [], [], []
    base = PurePosixPath(workdir)
    for change in _diff(sandbox):
        try:
            relative = str(PurePosixPath(change.path).relative_to(base))
        except ValueError:
            continue
        if relative == "." or _matches(relative, _IGNORED_NAMES):
            continue
        if is_protected(relative, protected) or ".." in PurePosixPath(relative).parts:
            refused.append(relative)
        elif change.kind == "deleted":
            deleted.append(relative)
        else:
            written.append(relative)
    kept = {str(parent) for name in (*protected, *refused) for parent in PurePosixPath(name).parents}
    refused += sorted(kept.intersection(deleted))
    deleted = [name for name in deleted if name not in kept]
    try:
        members = list(_checked(_pack(sandbox, workdir, written), set(written), kept))
    except tarfile.TarError as error:
        raise NotTaken(f"tar in the sandbox gave no archive: {error}") from None
    taken = tuple(info.name for info, _ in members)
    refused += sorted({*written} - {*taken})
    return Changes(taken, tuple(deleted), tuple(refused), _archive(members))


_TOOLS = "find / -maxdepth 0 -printf ok | xargs -0 printf %s"


def _diff(sandbox: Sandbox) -> list[FileChange]:
    """Some backends need programs inside to tell; who broke those has handed in nothing."""
    try:
        return sandbox.diff()
    except SandboxLost:
        raise
    except SandboxError:
        sandbox.exec("rm -rf /tmp/* /dev/shm/*", user="root", cwd="/")  # what fills the disk stands in the way
    try:
        return sandbox.diff()
    except SandboxLost:
        raise
    except SandboxError as error:
        if sandbox.exec(_TOOLS, user="root", cwd="/").stdout != "ok":
            raise NotTaken(f"find or xargs is broken in the sandbox: {error}") from None
        raise


def is_protected(relative: str, protected: Iterable[str]) -> bool:
    path = PurePosixPath(relative)
    return _matches(relative.lower(), PROTECTED_NAMES) or any(path.is_relative_to(folder) for folder in protected)


def _matches(relative: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(part, pattern) for part in PurePosixPath(relative).parts for pattern in patterns)


def _checked(archive: bytes, names: set[str], kept: set[str]) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    """The members that may go on, with their content; of the rest (other names, devices, what lies behind a link, what
    would take the place of a folder with protected files in it) nothing."""
    if not archive:
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = {info.name: info for info in opened}
        links = {name for name, info in found.items() if not info.isdir()}
        for name, info in found.items():
            behind_link = any(str(parent) in links for parent in PurePosixPath(name).parents)
            if name not in names or behind_link or (name in kept and not info.isdir()):
                continue
            clean = tarfile.TarInfo(name)
            if info.isdir():
                clean.type, clean.mode = tarfile.DIRTYPE, 0o755
                yield clean, None
            elif info.issym():
                clean.type, clean.linkname = tarfile.SYMTYPE, info.linkname
                yield clean, None
            else:
                same = found.get(info.linkname, info) if info.islnk() else info
                content = opened.extractfile(same) if same.isreg() else None
                if content is not None:
                    data = content.read()
                    clean.size, clean.mode = len(data), 0o755 if same.mode & 0o111 else 0o644
                    yield clean, data


def _archive(members: Iterable[tuple[tarfile.TarInfo, bytes | None]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, None if data is None else io.BytesIO(data))
    return buffer.getvalue()


_BEHIND_A_LINK, _NOT_UNPACKED = 96, 97
_APPLY = f"""
take() {{ names=(); for ((i = 0; i < $1; i++)); do IFS= read -r -d '' name; names+=("$name"); done; }}
take $1; for name in "${{names[@]}}"; do if [ -L "$name" ]; then printf %s "$name" >&2; exit {_BEHIND_A_LINK}; fi; done
take $2; gone=("${{names[@]}}"); take $3; folders=("${{names[@]}}")
printf '%s\\0' "${{gone[@]}}" "${{folders[@]}}" |
    tar -c -f - --no-recursion --null --verbatim-files-from -T - 2> /dev/null || [ $? -lt 3 ] || exit 1
if [ $2 -gt 0 ]; then printf '%s\\0' "${{gone[@]}}" | xargs -0 rm -rf -- || exit 1; fi
for name in "${{folders[@]}}"; do [ -d "$name" ] && [ ! -L "$name" ] || rm -f -- "$name" || exit 1; done
tar -x -f - --no-same-owner || exit {_NOT_UNPACKED}
"""
"""$1, $2 and $3: how many names of each kind come before the archive, each ended by a zero: folders above what changes,
what goes (all but folders is written anew), and what is to be a folder. One command: each costs as much as a small
test."""


def apply(sandbox: Sandbox, workdir: str, changes: Changes) -> bytes:
    """Make them in another sandbox of the same image; a tar of what was there before.

    Raises SandboxError, and NotTaken for changes that lie behind a link of the image, which no honest tool reports.
    """
    changed = {*changes.written, *changes.deleted}
    if not changed:
        return b""
    above = {str(parent) for name in changed for parent in PurePosixPath(name).parents} - changed
    with tarfile.open(fileobj=io.BytesIO(changes.archive)) as opened:
        folders = {info.name for info in opened if info.isdir()}
    kinds = [sorted(names) for names in (above, changed - folders, folders)]
    listed = b"".join(os.fsencode(name) + b"\0" for names in kinds for name in names)
    done = sandbox.exec(
        ["bash", "-c", _APPLY, "apply", *(str(len(names)) for names in kinds)],
        stdin=listed + changes.archive,
        stdout_limit_bytes=_LIMIT_BYTES + 1,
        cwd=workdir,
        env={"LC_ALL": "C"},  # names are bytes: a broken character would swallow the zero behind it
        user="root",
        timeout_s=300.0,
    )
    said = done.stderr.strip()[-300:]
    if done.exit_code == _BEHIND_A_LINK:
        raise NotTaken(f"something is said to have changed below {said}, which is a link")
    if done.exit_code == _NOT_UNPACKED:
        raise NotTaken(f"tar in {workdir}: {said}")
    if done.exit_code:
        raise SandboxError(f"to make the agent's changes in {workdir} ended with {done.exit_code}: {said}")
    if len(done.stdout_bytes) > _LIMIT_BYTES:
        raise NotTaken(f"the files that were changed held more than {_LIMIT_BYTES} bytes")
    return done.stdout_bytes


def patch(was: bytes, changes: Changes, brought_in: Sequence[Path] = ()) -> str:
    """The changes as `git apply` takes them. `was`: a tar of the image's files, over which the folders `brought_in`
    were laid for the agent to find."""
    return render(was, changes.archive, laid_over=[_shown(folder, changes.refused) for folder in brought_in])


def _shown(folder: Path, refused: Sequence[str]) -> bytes:
    """A tar of the files of a folder of this machine that a patch tells of."""
    named = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in named.items():
            if name not in refused and not _matches(name, _IGNORED_NAMES):
                archive.add(path, name)
    return buffer.getvalue()


def _pack(sandbox: Sandbox, workdir: str, names: Sequence[str]) -> bytes:
    try:
        return sandbox.pack(workdir, names, max_bytes=_LIMIT_BYTES)
    except (OSError, ValueError) as error:
        raise NotTaken(str(error)) from None

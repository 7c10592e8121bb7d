"""Files in and out of a sandbox through commands that run inside it.

Paths are resolved by the sandbox's own processes, so a link the agent planted leads nowhere but into the sandbox.
"""

from __future__ import annotations

import io
import logging
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agentgym.errors import SandboxError

logger = logging.getLogger(__name__)

_READ = """
[ -e "$1" ] || exit 44
[ -d "$1" ] && exit 45
[ -f "$1" ] || exit 46
exec head -c "$2" -- "$1"
"""
_WRITE = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1" && chmod "$2" "$1"'
_DOWNLOAD_BYTES = 512 << 20


class Run(Protocol):
    """Run argv as root; (exit code, stdout, stderr). stdout is cut after `limit_bytes`."""

    def __call__(
        self, argv: list[str], *, stdin: bytes = b"", limit_bytes: int = 1 << 16
    ) -> tuple[int, bytes, str]: ...


def read(run: Run, path: str, max_bytes: int) -> bytes:
    code, data, problem = run(["bash", "-c", _READ, "read", path, str(max_bytes + 1)], limit_bytes=max_bytes + 1)
    if code == 44:
        raise FileNotFoundError(f"{path}: no such file in the sandbox")
    if code == 45:
        raise IsADirectoryError(f"{path}: is a folder in the sandbox")
    if code != 0:
        raise OSError(f"{path}: {'not a regular file' if code == 46 else problem.strip()}")
    if len(data) > max_bytes:
        raise ValueError(f"{path}: larger than {max_bytes} bytes")
    return data


def write(run: Run, path: str, data: bytes, mode: int) -> None:
    code, _, problem = run(["bash", "-c", _WRITE, "write", path, f"{mode:o}"], stdin=data)
    if code != 0:
        raise OSError(f"{path}: {problem.strip()}")


def upload(run: Run, source: Path, target: str) -> None:
    code, _, problem = run(["tar", "-x", "-f", "-", "-C", "/", "--no-same-owner"], stdin=archive([source], target))
    if code != 0:
        raise OSError(f"upload to {target}: {problem.strip()}")


def archive(sources: Sequence[Path], target: str) -> bytes:
    """A tar of what these folders hold, as it will lie below `target` seen from the root, owned by root; of two files
    of one name the later folder's is unpacked last."""

    def owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return info

    below = target.strip("/") or "."
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as made:
        for source in sources:
            if not source.is_dir():
                raise NotADirectoryError(f"{source}: not a folder")
            entries = sorted(source.iterdir())
            for entry in entries:
                made.add(entry, arcname=f"{below}/{entry.name}", filter=owned_by_root)
            if not entries:  # tar makes the folders above a member; one that is there keeps its mode
                made.add(source, arcname=below, filter=owned_by_root)
    return buffer.getvalue()


def pack(run: Run, folder: str, names: Sequence[str], max_bytes: int) -> bytes:
    if not names:
        return b""
    argv = ["tar", "-c", "-f", "-", "-C", folder, "--no-recursion", "--null", "--verbatim-files-from", "-T", "-"]
    listed = b"\0".join(os.fsencode(name) for name in names)
    code, data, problem = run(argv, stdin=listed, limit_bytes=max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"{folder}: what was asked for is larger than {max_bytes} bytes")
    if code not in (0, 1):  # 1: something changed meanwhile
        raise OSError(f"tar in {folder} ended with {code}: {problem.strip()[-300:]}")
    return data


def download(run: Run, source: str, target: Path) -> None:
    code, data, problem = run(["tar", "-c", "-f", "-", "-C", source, "."], limit_bytes=_DOWNLOAD_BYTES)
    if code != 0:
        raise FileNotFoundError(f"download of {source}: {problem.strip()}")
    if len(data) >= _DOWNLOAD_BYTES:
        raise SandboxError(f"download of {source}: larger than {_DOWNLOAD_BYTES >> 20} MB")
    unpack(data, target)


def unpack(data: bytes, target: Path) -> None:
    """Extract below `target`; members that would leave it (links, devices, `..`) are skipped."""
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            try:
                archive.extract(member, target, filter="data")
            except (tarfile.FilterError, KeyError, OSError) as error:  # KeyError: a hard link to a member not there
                logger.warning("%s: skipped: %s", member.name, error)

"""Where a new task's repository comes from: a folder, a git repository, a commit that fixes something, an sdist.

What is found there is handed on as an `Origin`: the lines of a Dockerfile that bring the source in, the files these
need, and, of a fixing commit, the fix and its tests. Nothing of it is run here but git, and pip in a sandbox.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from agentgym.errors import ImageError, UsageError
from agentgym.protocols import Backend, SandboxSpec
from agentgym.task import Source

if TYPE_CHECKING:
    from git import Commit, Repo

ARCHIVE_MB = 64
"""A vendored source may be no larger, compressed."""

_SDIST = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".eggs", ".DS_Store"}
    | {".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}
)
_VENDORED = "source.tar.gz"
_WANTED = "a folder, a git repository (path or URL, with @COMMIT for a commit that fixes something) or NAME==VERSION"


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository as a task starts from it."""

    source: Source
    dockerfile: str
    """Instructions that put it into WORKDIR."""
    files: tuple[str, ...]
    """All paths in it."""
    settings: Mapping[str, str]
    """The text of pyproject.toml, setup.py and setup.cfg, those that it has."""
    context: Mapping[str, bytes] = field(default_factory=dict)
    """Files for environment/."""
    fix: bytes = b""
    """The part of the fixing commit's diff that is no test."""
    tests: Mapping[str, bytes] = field(default_factory=dict)
    """The test files that the fixing commit added or changed, as it left them."""


def is_test(path: str) -> bool:
    """Whether a file belongs to the tests, by the usual names."""
    *folders, name = PurePosixPath(path).parts
    named = name == "conftest.py" or (name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py")))
    return named or not {"test", "tests", "testing"}.isdisjoint(folders)


def find_origin(spec: str, backend: Backend) -> Origin:
    """Read what `spec` names; `backend` runs pip for an sdist. Raises UsageError and SandboxError."""
    if match := _SDIST.fullmatch(spec):
        return _from_sdist(match["name"], match["version"], backend)
    if Path(spec).is_dir():
        return _from_repository(spec, None) if _is_repository(Path(spec)) else _from_folder(Path(spec))
    place, commit = _split(spec)
    if Path(place).is_dir():
        if not _is_repository(Path(place)):
            raise UsageError(f"--from {spec}: found a folder that is no git repository, wanted it without @{commit}")
        return _from_repository(place, commit)
    if "://" in place or re.match(r"[\w.-]+@[\w.-]+:", place):
        return _from_url(place, commit)
    raise UsageError(f"--from {spec}: found nothing there, wanted {_WANTED}")


def _split(spec: str) -> tuple[str, str | None]:
    """The commit after the last @, unless that @ is part of a URL (`git@host:path`)."""
    place, at, commit = spec.rpartition("@")
    return (place, commit) if at and place and not set("/:").intersection(commit) else (spec, None)


# -------------------------------------------------------------------------------------------------- folders


def _from_folder(folder: Path) -> Origin:
    files = dict(_folder_files(folder))
    if not files:
        raise UsageError(f"--from {folder}: found an empty folder, wanted the source of a package")
    return _vendored(folder.name, files)


def _folder_files(folder: Path) -> Iterator[tuple[str, tuple[int, bytes]]]:
    """Path to mode and content; a link's content is its target. What tools leave behind is left out."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        folders[:] = [name for name in folders if name not in _LEFT_OUT and name not in links]
        for name in [*names, *links]:
            file = Path(place, name)
            relative = file.relative_to(folder).as_posix()
            if file.is_symlink():
                yield relative, (0o120000, os.fsencode(file.readlink()))
            elif file.is_file() and name not in _LEFT_OUT and file.suffix != ".pyc":
                yield relative, (0o100755 if os.access(file, os.X_OK) else 0o100644, file.read_bytes())


def _vendored(
    what: str, files: Mapping[str, tuple[int, bytes]], fix: bytes = b"", tests: Mapping[str, bytes] | None = None
) -> Origin:
    archive = _pack(files)
    if len(archive) > ARCHIVE_MB << 20:
        raise UsageError(f"--from {what}: found {len(archive) >> 20} MB, packed, wanted at most {ARCHIVE_MB} MB")
    return Origin(
        source=Source(path=f"environment/{_VENDORED}"),
        dockerfile=f"# the source: a tree without its history\nADD {_VENDORED} ./\n",
        files=tuple(sorted(files)),
        settings={name: files[name][1].decode("utf-8", "replace") for name in _SETTINGS if name in files},
        context={_VENDORED: archive},
        fix=fix,
        tests=tests or {},
    )


_SETTINGS = ("pyproject.toml", "setup.py", "setup.cfg")


def _pack(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """A .tar.gz; the same files give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (mode, content) in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.mode = mode & 0o777 or 0o777
            if mode & 0o170000 == 0o120000:
                info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(content)
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


# ------------------------------------------------------------------------------------------------------ git


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())


def _from_repository(place: str, commit: str | None) -> Origin:
    """A local repository: the tree of HEAD, or that before the fixing commit, goes along in the task."""
    with _open(place) as repository:
        end = _commit(repository, commit or "HEAD", place)
        if commit is None:
            return _vendored(place, _tree(end))
        start, fix, tests = _fix(repository, end, place)
        return _vendored(place, _tree(start), fix=fix, tests=tests)


def _from_url(url: str, commit: str | None) -> Origin:
    """A repository elsewhere: the commit is fetched when the image is built."""
    with tempfile.TemporaryDirectory(prefix="agentgym-") as scratch, _clone(url, scratch) as repository:
        start, fix, tests = _commit(repository, commit or "HEAD", url), b"", dict[str, bytes]()
        if commit is not None:
            start, fix, tests = _fix(repository, start, url)
        files = _tree(start)
        return Origin(
            source=Source(git=url, commit=start.hexsha),
            dockerfile=(
                "# the source: one commit, without its history\n"
                f"RUN git init -q && git fetch -q --depth 1 {url} {start.hexsha} \\\n"
                " && git checkout -q FETCH_HEAD && rm -rf .git\n"
            ),
            files=tuple(sorted(files)),
            settings={name: files[name][1].decode("utf-8", "replace") for name in _SETTINGS if name in files},
            fix=fix,
            tests=tests,
        )


@contextlib.contextmanager
def _git_errors(where: str) -> Iterator[None]:
    """What git says, as one line."""
    try:
        import git
    except ImportError as error:  # GitPython needs the program
        raise UsageError(f"found no git on this machine, wanted it to read {where}: {error}") from None
    try:
        yield
    except git.GitCommandError as error:
        lines = str(error.stderr).strip().strip("'").strip().splitlines() or [str(error)]
        said = next((line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))), lines[-1])
        raise UsageError(f"--from {where}: git: {said}") from None
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        raise UsageError(f"--from {where}: found no git repository there, wanted {_WANTED}") from None


@contextlib.contextmanager
def _open(place: str) -> Iterator[Repo]:
    with _git_errors(place):
        from git import Repo

        with Repo(place) as repository:
            yield repository


@contextlib.contextmanager
def _clone(url: str, scratch: str) -> Iterator[Repo]:
    if re.search(r"[\s'\"\\;&|$`<>]", url):
        raise UsageError(f"--from {url}: found a character that no URL has, wanted {_WANTED}")
    with _git_errors(url):
        from git import Repo

        # never ask for a password: nobody may be there to type it
        with Repo.clone_from(url, scratch, bare=True, env={"GIT_TERMINAL_PROMPT": "0"}) as repository:
            yield repository


def _commit(repository: Repo, name: str, place: str) -> Commit:
    from git.exc import ODBError

    try:
        return repository.commit(name)
    except (ValueError, IndexError, ODBError):
        raise UsageError(f"--from {place}: found no commit {name} in it, wanted a hash, a tag or a branch") from None


def _tree(commit: Commit) -> dict[str, tuple[int, bytes]]:
    """Every file of the commit's tree, whatever its export attributes say."""
    from git import Blob

    blobs = [item for item in commit.tree.traverse() if isinstance(item, Blob)]
    return {str(blob.path): (blob.mode, blob.data_stream.read()) for blob in blobs}


def _fix(repository: Repo, end: Commit, place: str) -> tuple[Commit, bytes, dict[str, bytes]]:
    """The commit before `end`, what `end` changed outside the tests, and the tests that it left."""
    short = end.hexsha[:12]
    if not end.parents:
        raise UsageError(f"--from {place}: commit {short} is the first one, wanted one that fixes what was before")
    start = end.parents[0]
    listed = repository.git.diff(start.hexsha, end.hexsha, name_only=True, no_renames=True, z=True)
    changed = [path for path in listed.split("\0") if path]
    code = [path for path in changed if not is_test(path)]
    if not code:
        raise UsageError(f"--from {place}: commit {short} changes no file but tests, wanted one that fixes something")
    fix: bytes = repository.git.diff(
        start.hexsha, end.hexsha, "--", *code,
        no_renames=True, no_color=True, no_ext_diff=True, stdout_as_string=False, strip_newline_in_stdout=False,
    )  # fmt: skip
    if binary := re.search(rb"^Binary files .* differ$", fix, re.MULTILINE):
        found = binary[0].decode("utf-8", "replace")
        raise UsageError(f'--from {place}: commit {short}: found "{found}", wanted a fix that is all text')
    after = _tree(end)
    return start, fix, {path: after[path][1] for path in changed if is_test(path) and path in after}


# ---------------------------------------------------------------------------------------------------- sdists


def _from_sdist(name: str, version: str, backend: Backend) -> Origin:
    """pip fetches it inside a sandbox, since it may run the package's code to read its metadata."""
    fetch = f"pip download --no-cache-dir --no-deps --no-binary {name} -d /tmp/source {name}=={version}"
    with tempfile.TemporaryDirectory(prefix="agentgym-") as scratch:
        Path(scratch, "Dockerfile").write_text(
            f"FROM python:3.11-bookworm\nWORKDIR /source\n"
            f"RUN {fetch} && tar xzf /tmp/source/*.tar.gz --strip-components=1 -C /source\n"
        )
        try:
            image = backend.build(Path(scratch))
        except ImageError as error:
            said = [line for line in str(error).splitlines() if line.startswith("ERROR")] or str(error).splitlines()
            raise UsageError(f"--from {name}=={version}: pip found no sdist of it: {said[-1]}") from None
    sandbox = backend.create(SandboxSpec(image))
    sandbox.start()
    try:
        digest = hashlib.sha256(sandbox.read(_only(sandbox.exec("ls -d /tmp/source/*").stdout))).hexdigest()
        files = sandbox.exec(["find", ".", "-type", "f", "-printf", "%P\n"]).stdout.splitlines()
        settings = {
            name: sandbox.read(f"/source/{name}").decode("utf-8", "replace") for name in _SETTINGS if name in files
        }
    finally:
        sandbox.stop()
    return Origin(
        source=Source(package=name, version=version, sha256=digest),
        dockerfile=(
            "# the source: the sdist, pinned by hash\n"
            f'RUN echo "{name}=={version} --hash=sha256:{digest}" > /tmp/source.txt \\\n'
            f" && pip download --no-cache-dir --no-deps --no-binary {name} --require-hashes -r /tmp/source.txt"
            " -d /tmp/source \\\n"
            " && tar xzf /tmp/source/*.tar.gz --strip-components=1 -C /testbed && rm -rf /tmp/source /tmp/source.txt\n"
        ),
        files=tuple(sorted(files)),
        settings=settings,
    )


def _only(text: str) -> str:
    lines = text.split()
    if len(lines) != 1:
        raise UsageError(f"found {len(lines)} files where pip put the sdist, wanted one")
    return lines[0]

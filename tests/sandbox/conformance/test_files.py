"""Sandbox.read, write, upload and download."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path

import pytest

from agentgym.protocols import Sandbox

NAMES = [
    "plain.txt",
    "héllo ☃.txt",
    "with space",
    "-dash",
    "quo'te\"s",
    "new\nline",
    "$(id)`id`;",
    "*?[a]",
    ".hidden",
    "%s\\t",
]


# ---------------------------------------------------------------------------------------- read and write


@pytest.mark.parametrize(
    "data",
    [b"", b"text\n", bytes(range(256)), b"\n\r\0" * 100, b"no newline", os.urandom(20 << 20)],
    ids=["empty", "text", "binary", "control", "no-newline", "20MB"],
)
def test_round_trip(sandbox: Sandbox, data: bytes) -> None:
    sandbox.write("/app/file", data)
    assert sandbox.exec("sha256sum < file").stdout.split()[0] == hashlib.sha256(data).hexdigest()
    assert sandbox.read("/app/file") == data


@pytest.mark.parametrize("name", NAMES)
def test_names(sandbox: Sandbox, name: str) -> None:
    path = f"/app/folder {name}/{name}"
    sandbox.write(path, b"here")
    assert sandbox.exec(["cat", path]).stdout == "here"
    assert sandbox.read(path) == b"here"


def test_write_creates_folders(sandbox: Sandbox) -> None:
    sandbox.write("/app/new/folders/file", b"x")
    assert sandbox.exec("stat -c '%F %a %U' new new/folders; stat -c '%F %a %U' new/folders/file").stdout == (
        "directory 755 root\ndirectory 755 root\nregular file 644 root\n"
    )


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600, 0o400])
def test_write_sets_the_mode(sandbox: Sandbox, mode: int) -> None:
    sandbox.write("/app/file", b"#!/bin/sh\necho ran\n", mode=mode)
    assert sandbox.exec("stat -c %a file").stdout == f"{mode:o}\n"


def test_write_replaces(sandbox: Sandbox) -> None:
    sandbox.write("/app/tool.sh", b"short", mode=0o600)
    assert sandbox.read("/app/tool.sh") == b"short"
    assert sandbox.exec("stat -c %a tool.sh").stdout == "600\n"


def test_write_over_a_folder(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="/app/pkg"):
        sandbox.write("/app/pkg", b"x")
    assert sandbox.read("/app/pkg/module.py") == b"ANSWER = 42\n"


def test_write_below_a_file(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match=r"notes\.txt"):
        sandbox.write("/app/notes.txt/below", b"x")
    assert sandbox.read("/app/notes.txt") == b"first line\nsecond line\n"


def test_read_of_the_images_files(sandbox: Sandbox) -> None:
    assert sandbox.read("/app/notes.txt") == b"first line\nsecond line\n"
    assert sandbox.read("/app/link") == b"hello\n"
    assert sandbox.read("/app/private.txt") == b"secret\n"
    assert sandbox.read("/app/deep/../notes.txt") == b"first line\nsecond line\n"


@pytest.mark.parametrize("path", ["/app/missing", "/no/such/folder/file", "/app/dangling"])
def test_read_missing(sandbox: Sandbox, path: str) -> None:
    sandbox.exec("ln -s nowhere dangling")
    with pytest.raises(FileNotFoundError, match=path):
        sandbox.read(path)


def test_read_folder(sandbox: Sandbox) -> None:
    with pytest.raises(IsADirectoryError, match="/app/pkg"):
        sandbox.read("/app/pkg")


def test_read_link_loop(sandbox: Sandbox) -> None:
    sandbox.exec("ln -s loop loop")
    with pytest.raises(OSError, match="loop"):
        sandbox.read("/app/loop")


def test_max_bytes(sandbox: Sandbox) -> None:
    sandbox.write("/app/file", b"0123456789")
    assert sandbox.read("/app/file", max_bytes=10) == b"0123456789"
    with pytest.raises(ValueError, match="9"):
        sandbox.read("/app/file", max_bytes=9)


def test_read_of_a_huge_sparse_file(sandbox: Sandbox) -> None:
    sandbox.exec("truncate -s 5G sparse")
    started = time.monotonic()
    with pytest.raises(ValueError, match="sparse"):
        sandbox.read("/app/sparse")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "make",
    [
        "mkfifo special",
        "ln -s /dev/zero special",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"special\")'",
    ],
    ids=["fifo", "zero", "socket"],
)
def test_read_of_what_is_no_file(sandbox: Sandbox, make: str) -> None:
    """It neither hangs nor fills memory."""
    assert sandbox.exec(make).exit_code == 0
    started = time.monotonic()
    with pytest.raises((OSError, ValueError), match="special"):
        sandbox.read("/app/special", max_bytes=1 << 20)
    assert time.monotonic() - started < 10
    assert sandbox.exec("echo next").stdout == "next\n"


def test_write_is_there_for_running_programs(sandbox: Sandbox) -> None:
    sandbox.write("/app/signal", b"go")
    assert sandbox.exec("cat signal").stdout == "go"
    sandbox.exec("echo changed > signal")
    assert sandbox.read("/app/signal") == b"changed\n"


# ------------------------------------------------------------------------------------ upload and download


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A local folder with everything that file transfer stumbles over."""
    root = tmp_path / "tree"
    (root / "sub" / "subsub").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "binary").write_bytes(bytes(range(256)))
    (root / "nothing").write_bytes(b"")
    (root / "big").write_bytes(os.urandom(20 << 20))
    (root / "sub" / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (root / "sub" / "run.sh").chmod(0o755)
    (root / "sub" / "subsub" / "file").write_text("deep\n")
    (root / "sub" / "link").symlink_to("run.sh")
    (root / "up").symlink_to("sub/../binary")
    for name in NAMES:
        (root / name).write_text(name)
    return root


def listing(root: Path) -> dict[str, object]:
    """Path → contents of files, target of links, None of folders."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def test_upload_and_download(sandbox: Sandbox, tree: Path, tmp_path: Path) -> None:
    sandbox.upload(tree, "/app/new/place")
    assert sandbox.exec("stat -c '%u:%g' new/place/binary new/place/sub new/place/sub/run.sh").stdout == "0:0\n" * 3
    assert (
        sandbox.exec("new/place/sub/run.sh; cat new/place/sub/subsub/file; ls new/place/empty").stdout == "ran\ndeep\n"
    )
    assert sandbox.exec("sha256sum new/place/big").stdout.split()[0] == (
        hashlib.sha256((tree / "big").read_bytes()).hexdigest()
    )
    sandbox.download("/app/new/place", tmp_path / "back" / "again")
    assert listing(tmp_path / "back" / "again") == listing(tree)
    assert (tmp_path / "back" / "again" / "sub" / "run.sh").stat().st_mode & stat.S_IXUSR


def test_upload_belongs_to_root_whoever_owned_it(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_text("x")
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs" / "file", 4321, 4321)
    sandbox.upload(tmp_path / "theirs", "/app/theirs")
    assert sandbox.exec("stat -c '%u:%g' theirs theirs/file").stdout == "0:0\n0:0\n"


def test_upload_merges_and_replaces(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "more" / "pkg").mkdir(parents=True)
    (tmp_path / "more" / "pkg" / "module.py").write_text("ANSWER = 43\n")
    (tmp_path / "more" / "pkg" / "new.py").write_text("")
    sandbox.upload(tmp_path / "more", "/app")
    assert sandbox.exec("cat pkg/module.py; ls pkg; cat notes.txt | head -n 1").stdout == (
        "ANSWER = 43\n__init__.py\nmodule.py\nnew.py\nfirst line\n"
    )


def test_upload_of_a_missing_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        sandbox.upload(tmp_path / "missing", "/app/x")


def test_download_merges_into_the_target(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("mine")
    sandbox.download("/app/pkg", tmp_path / "target")
    assert sorted(path.name for path in (tmp_path / "target").iterdir()) == ["__init__.py", "mine", "module.py"]
    assert (tmp_path / "target" / "mine").read_text() == "mine"


def test_download_of_a_missing_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="/app/missing"):
        sandbox.download("/app/missing", tmp_path / "target")


def test_download_of_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"/app/notes\.txt"):
        sandbox.download("/app/notes.txt", tmp_path / "target")


def test_download_skips_links_that_lead_outside(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.exec(
        "mkdir -p out/sub && cd out && echo in > file && ln -s file good && ln -s ../file sub/good && ln -s sub folder"
        " && ln -s /etc/passwd absolute && ln -s ../notes.txt above && ln -s sub/../../notes.txt winding"
        " && ln -s .. parent && ln -s missing dangling"
    )
    target = tmp_path / "target"
    sandbox.download("/app/out", target)
    assert (target / "good").read_text() == (target / "sub" / "good").read_text() == "in\n"
    for name in ("absolute", "above", "winding", "parent"):
        assert not (target / name).is_symlink(), name
        assert not (target / name).exists(), name


def test_download_skips_what_is_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.exec("mkdir out && cd out && mkfifo fifo && echo kept > file")
    sandbox.exec("cd out && mknod zero c 1 5")
    started = time.monotonic()
    sandbox.download("/app/out", tmp_path / "target")
    assert time.monotonic() - started < 20
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["file"]


def test_download_loses_special_modes(sandbox: Sandbox, tmp_path: Path) -> None:
    """A setuid program of the sandbox's root must not become one of the host's."""
    sandbox.exec("mkdir out && cd out && cp /bin/ls tool && chmod 6755 tool && chmod 1777 .")
    sandbox.download("/app/out", tmp_path / "target")
    assert stat.S_IMODE((tmp_path / "target" / "tool").stat().st_mode) & 0o7000 == 0


def test_many_files(sandbox: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "many"
    for i in range(20):
        (source / str(i)).mkdir(parents=True)
        for j in range(100):
            (source / str(i) / str(j)).write_text(f"{i} {j}")
    started = time.monotonic()
    sandbox.upload(source, "/app/many")
    assert sandbox.exec("find many -type f | wc -l").stdout == "2000\n"
    sandbox.download("/app/many", tmp_path / "back")
    assert time.monotonic() - started < 20
    assert listing(tmp_path / "back") == listing(source)

"""Attempts to trick file transfer, which works from the host's side, into reading or writing the host's files."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

import pytest

from agentgym.errors import AgentGymError
from agentgym.protocols import Sandbox

pytestmark = pytest.mark.security

REFUSED = (OSError, ValueError, AgentGymError)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of the host with a canary file in it; nothing may be read from it or appear in it."""
    folder = tmp_path / f"host-{secrets.token_hex(4)}"
    folder.mkdir()
    (folder / "canary").write_text("the host's canary")
    return folder


def untouched(host: Path) -> bool:
    return [p.name for p in host.iterdir()] == ["canary"] and (host / "canary").read_text() == "the host's canary"


def test_read_through_a_link(sandbox: Sandbox, host: Path) -> None:
    for link, target in [("file", host / "canary"), ("folder", host), ("root", Path("/"))]:
        sandbox.exec(["ln", "-s", str(target), f"/app/{link}"])
    for path in ("/app/file", "/app/folder/canary", f"/app/root{host}/canary", f"/app/../../..{host}/canary"):
        with pytest.raises(FileNotFoundError):
            sandbox.read(path)


def test_read_gives_the_sandboxs_own_file(sandbox: Sandbox) -> None:
    sandbox.exec("ln -s /etc/shadow shadow; ln -s ../etc/machine-id id; ln -s ../../../../../../etc/shadow up")
    sandbox.exec("echo shadow-of-the-sandbox > /etc/shadow; echo id-of-the-sandbox > /etc/machine-id")
    assert sandbox.read("/app/shadow") == sandbox.read("/app/up") == b"shadow-of-the-sandbox\n"
    assert sandbox.read("/app/id") == b"id-of-the-sandbox\n"


@pytest.mark.parametrize(
    "path", ["/proc/1/root{host}/canary", "/proc/self/root{host}/canary", "/proc/self/cwd{host}/canary", "/dev/fd/3"]
)
def test_read_through_proc(sandbox: Sandbox, host: Path, path: str) -> None:
    """Whoever resolves /proc/self must do so as a process of the sandbox."""
    with pytest.raises(REFUSED):
        sandbox.read(path.format(host=host))


def test_read_of_the_hosts_environment_through_proc(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTGYM_CANARY", "the host's canary")
    for path in ("/proc/self/environ", "/proc/1/environ", "/proc/self/cmdline", "/proc/thread-self/environ"):
        with contextlib.suppress(*REFUSED):
            assert b"canary" not in sandbox.read(path), path


def test_write_through_a_link(sandbox: Sandbox, host: Path) -> None:
    sandbox.exec(["ln", "-s", str(host), "/app/folder"])
    sandbox.exec(["ln", "-s", str(host / "canary"), "/app/file"])
    sandbox.exec(["ln", "-s", str(host / "new"), "/app/dangling"])
    for path in ("/app/folder/canary", "/app/folder/new", "/app/file", "/app/dangling", f"/app/../../../..{host}/new"):
        with contextlib.suppress(*REFUSED):
            sandbox.write(path, b"overwritten")
    assert untouched(host)


def test_upload_through_a_link(sandbox: Sandbox, host: Path, tmp_path: Path) -> None:
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "source" / "sub" / "canary").write_text("overwritten")
    (tmp_path / "source" / "canary").write_text("overwritten")
    sandbox.exec(["ln", "-s", str(host), "/app/target"])
    sandbox.exec(f"mkdir /app/other && ln -s {host} /app/other/sub && ln -s {host}/canary /app/other/canary")
    for target in ("/app/target", "/app/other"):
        with contextlib.suppress(*REFUSED):
            sandbox.upload(tmp_path / "source", target)
    assert untouched(host)


def test_upload_does_not_follow_links_of_the_host(sandbox: Sandbox, host: Path, tmp_path: Path) -> None:
    """A task's folder may be somebody else's work: its links stay links."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "link").symlink_to(host / "canary")
    (tmp_path / "source" / "folder").symlink_to(host)
    with contextlib.suppress(*REFUSED):
        sandbox.upload(tmp_path / "source", "/app/uploaded")
    assert "canary" not in sandbox.exec("cat /app/uploaded/link /app/uploaded/folder/*").stdout


def test_download_through_links(sandbox: Sandbox, host: Path, tmp_path: Path) -> None:
    """Absolute, relative, chained, through folders, and the downloaded folder itself."""
    sandbox.exec(
        f"mkdir -p out/sub && cd out && ln -s {host}/canary absolute && ln -s {host} folder"
        f" && ln -s $(printf '../%.0s' $(seq 40)){host}/canary relative && ln -s absolute chained"
        " && ln -s sub/../folder winding && ln -s /proc/self/root proc && ln -s / root && ln -s /etc/passwd passwd"
        f" && cd .. && ln -s {host} whole && ln -s out good"
    )
    target = tmp_path / "target"
    sandbox.download("/app/out", target)
    for path in target.rglob("*"):
        assert path.resolve().is_relative_to(target), f"{path.name} → {path.readlink()}"
        assert "canary" not in path.name
    with contextlib.suppress(*REFUSED):
        sandbox.download("/app/whole", tmp_path / "whole")
    assert not (tmp_path / "whole" / "canary").exists()


def test_download_of_hard_links_and_devices(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.exec("mkdir out && ln /etc/passwd out/hard && ln notes.txt out/also && mkfifo out/fifo")
    sandbox.exec("mknod out/null c 1 3; mknod out/disk b 8 0")
    sandbox.download("/app/out", tmp_path / "target")
    for path in (tmp_path / "target").iterdir():
        assert path.is_file(), path
        assert path.stat().st_nlink == 1
        assert path.read_bytes() == sandbox.read(f"/app/out/{path.name}")


def test_download_into_a_folder_with_links(sandbox: Sandbox, host: Path, tmp_path: Path) -> None:
    """The first download plants a link, the second would write through it."""
    target = tmp_path / "target"
    sandbox.exec(f"mkdir out && ln -s {host} out/sub && ln -s sub out/inner")
    sandbox.download("/app/out", target)
    sandbox.exec(
        "rm out/sub out/inner && mkdir out/sub out/inner && echo overwritten | tee out/sub/canary > out/inner/canary"
    )
    with contextlib.suppress(*REFUSED):
        sandbox.download("/app/out", target)
    assert untouched(host)


def test_names_that_lead_upwards(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.exec("mkdir -p 'out/...' 'out/.. ' && touch 'out/.../x' 'out/.. /y' out/$'..\\n' out/'..\\..\\z'")
    sandbox.download("/app/out", tmp_path / "deep" / "target")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["target"]


EVIL_TAR = """#!/usr/bin/python3
import io, os, sys, tarfile
with open("/tmp/evil-log", "a") as log:
    print(sys.argv, open("/proc/self/status").read(), file=log)
    try:
        print(open({canary!r}).read(), file=log)
    except OSError as error:
        print(error, file=log)
archive = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
def add(name, content=b"escaped", **more):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in more.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(content))
add("../escaped")
add("out/../../escaped")
add({host!r} + "/escaped")
add("link", b"", type=tarfile.SYMTYPE, linkname={host!r})
add("link/escaped")
add("hard", b"", type=tarfile.LNKTYPE, linkname={canary!r})
add("canary", b"", type=tarfile.SYMTYPE, linkname={canary!r})
archive.close()
"""


def test_programs_of_the_sandbox_are_not_trusted(sandbox: Sandbox, host: Path, tmp_path: Path) -> None:
    """tar, cat, sh and whatever else transfer might run in there have been replaced by the agent."""
    evil = EVIL_TAR.format(canary=str(host / "canary"), host=str(host))
    sandbox.write("/app/evil", evil.encode(), mode=0o755)
    sandbox.exec("mkdir out && echo true > out/file && cp $(readlink -f $(which python3)) /usr/bin/real")
    sandbox.exec("sed -i '1s|.*|#!/usr/bin/real|' evil")
    names = "tar cat cp find stat ls head dd mkdir tee env base64 chmod chown test readlink sh dash bash python3"
    sandbox.exec(
        f"for name in {names}; do for place in /usr/bin /bin /usr/local/bin; do"
        " [ -e $place/$name ] && cp --remove-destination evil $place/$name; done; done"
    )
    before = status(sandbox)
    target = tmp_path / "deep" / "target"
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("x")
    with contextlib.suppress(*REFUSED):
        sandbox.download("/app/out", target)
    with contextlib.suppress(*REFUSED):
        assert b"canary" not in sandbox.read("/app/notes.txt")
    with contextlib.suppress(*REFUSED):
        sandbox.write("/app/written", b"x")
    with contextlib.suppress(*REFUSED):
        sandbox.upload(tmp_path / "source", "/app/uploaded")
    with contextlib.suppress(*REFUSED):
        sandbox.diff()
    assert untouched(host)
    for path in tmp_path.rglob("*"):
        assert path.name != "escaped" or path.is_relative_to(target), path
        assert path.parent == host or not path.is_file() or "the host's canary" not in path.read_text(errors="replace")
    log = sandbox.exec(
        ["/usr/bin/real", "-c", "import os; print(os.path.exists('/tmp/evil-log') and open('/tmp/evil-log').read())"]
    ).stdout
    assert "the host's canary" not in log
    assert set(capabilities(log)) <= set(capabilities(before)), "transfer ran the agent's program with more privileges"


def status(sandbox: Sandbox) -> str:
    return sandbox.exec(["/usr/bin/real", "-c", "print(open('/proc/self/status').read())"]).stdout


def capabilities(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("CapEff:", "CapPrm:", "CapBnd:", "CapAmb:"))]


def test_preloaded_library_is_not_run_outside(sandbox: Sandbox, host: Path, tmp_path: Path) -> None:
    """/etc/ld.so.preload and NSS modules of the sandbox: a helper of the host that enters it must load neither."""
    source = f"""
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {{
    char line[512];
    FILE *log = fopen("/tmp/loaded", "a"), *status = fopen("/proc/self/status", "r");
    FILE *host = fopen("{host}/canary", "r");
    while (log && status && fgets(line, sizeof line, status)) fputs(line, log);
    if (log && host) fputs("HOST VISIBLE\\n", log);
    if (log) fclose(log);
}}
"""
    sandbox.write("/app/evil.c", source.encode())
    compiled = sandbox.exec("command -v gcc && gcc -shared -fPIC -o /app/evil.so evil.c")
    if compiled.exit_code != 0:
        pytest.skip("no compiler inside")
    before = sandbox.exec("cat /proc/self/status").stdout
    sandbox.exec("echo /app/evil.so > /etc/ld.so.preload; touch /tmp/loaded; chmod 666 /tmp/loaded")
    sandbox.read("/app/notes.txt")
    sandbox.write("/app/written", b"x")
    (tmp_path / "source").mkdir()
    sandbox.upload(tmp_path / "source", "/app/uploaded")
    sandbox.download("/app/pkg", tmp_path / "target")
    sandbox.diff()
    sandbox.exec("true")
    sandbox.shell().run("true")
    log = sandbox.exec("cat /tmp/loaded").stdout
    assert "CapEff" in log, "the library was not loaded at all"
    assert "HOST VISIBLE" not in log
    assert set(capabilities(log)) <= set(capabilities(before))


def test_swapping_a_folder_for_a_link_while_the_host_looks(sandbox: Sandbox, host: Path, tmp_path: Path) -> None:
    """Check and use must be one step: a loop inside exchanges the two as fast as it can."""
    swap = f"""
import ctypes, os
libc = ctypes.CDLL(None)
os.mkdir("/app/real"); open("/app/real/canary", "w").write("inside")
os.symlink({str(host)!r}, "/app/other")
while True:
    libc.syscall(316, -100, b"/app/real", -100, b"/app/other", 2)
"""
    sandbox.write("/app/swap.py", swap.encode())
    sandbox.exec("python3 swap.py >/dev/null 2>&1 & sleep 0.3")
    for i in range(30):
        with contextlib.suppress(*REFUSED):
            assert b"host" not in sandbox.read("/app/real/canary")
        with contextlib.suppress(*REFUSED):
            sandbox.write("/app/real/canary", b"inside")
        with contextlib.suppress(*REFUSED):
            sandbox.write(f"/app/real/new{i}", b"inside")
        if i % 10 == 0:
            with contextlib.suppress(*REFUSED):
                sandbox.download("/app/real", tmp_path / f"target{i}")
    assert untouched(host)
    downloaded = [path.read_text() for path in tmp_path.glob("target*/canary")]
    assert "the host's canary" not in downloaded

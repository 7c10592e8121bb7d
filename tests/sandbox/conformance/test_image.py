"""Backend.build: a Dockerfile means the same on every backend, or is refused with a reason."""

from __future__ import annotations

import io
import os
import re
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentgym.errors import AgentGymError, ImageError, SandboxError
from agentgym.protocols import Backend, Image, Sandbox
from tests.sandbox.host import gone, unique_sleep

FROM = "FROM python:3.11-bookworm\n"

Build = Callable[..., Image]


@pytest.fixture
def run(build: Build, make_sandbox: Callable[..., Sandbox]) -> Callable[..., str]:
    """run(dockerfile, files, command): what the command prints in a sandbox of that image."""

    def run(dockerfile: str, files: dict[str, str | bytes], command: str) -> str:
        result = make_sandbox(image=build(FROM + dockerfile, files)).exec(command)
        return result.stdout + result.stderr

    return run


# ------------------------------------------------------------------------------------------------ caching


def test_nothing_changed_nothing_built(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    dockerfile = FROM + "RUN sleep 3; date +%s%N > /stamp\n"
    first = build(dockerfile)
    started = time.monotonic()
    second = build(dockerfile)
    assert time.monotonic() - started < 3
    assert second == first
    stamps = {make_sandbox(image=image).exec("cat /stamp").stdout for image in (first, second)}
    assert len(stamps) == 1


def test_changed_source_is_built_again(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    dockerfile = FROM + "COPY used /used\nRUN cp /used /derived\n"
    one = build(dockerfile, {"used": "one\n", "unused": "1"})
    same = build(dockerfile, {"used": "one\n", "unused": "2"})
    two = build(dockerfile, {"used": "two\n"})
    assert one.ref == same.ref != two.ref
    assert make_sandbox(image=two).exec("cat /used /derived").stdout == "two\ntwo\n"
    assert make_sandbox(image=one).exec("cat /used /derived").stdout == "one\none\n"


def test_time_of_the_source_does_not_matter_but_its_mode_does(build: Build, tmp_path: Path) -> None:
    dockerfile = FROM + "COPY used /used\n"
    first = build(dockerfile, {"used": "same\n"})
    os.utime(tmp_path / "context" / "used", (1, 1))
    assert build(dockerfile).ref == first.ref
    (tmp_path / "context" / "used").chmod(0o755)
    assert build(dockerfile).ref != first.ref


def test_changed_step_is_built_again(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    refs = {build(FROM + f"ENV N={n}\nRUN echo $N > /n\n").ref for n in (1, 2)}
    assert len(refs) == 2
    assert make_sandbox(image=build(FROM + "ENV N=2\nRUN echo $N > /n\n")).exec("cat /n").stdout == "2\n"


def test_two_builds_at_once(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(FROM + f"RUN sleep 1; echo {os.urandom(8).hex()} > /once\n")
    with ThreadPoolExecutor(3) as pool:
        images = list(pool.map(lambda _: backend.build(tmp_path), range(3)))
    assert all(image.ref for image in images)
    assert backend.build(tmp_path) in images


# ----------------------------------------------------------------------------------------------- failures


def test_failing_step_is_named_with_its_output(build: Build) -> None:
    with pytest.raises(ImageError) as caught:
        build(FROM + "RUN echo fine\nRUN echo to-stdout; echo to-stderr >&2; exit 7\nRUN echo later\n")
    message = str(caught.value)
    assert "RUN echo to-stdout" in message
    assert message.count("to-stdout") >= 2, "once in the step, once as its output"
    assert message.count("to-stderr") >= 2
    assert "exit code 7" in message or "code: 7" in message
    build(FROM + "RUN echo fine\n")


def test_failed_step_is_not_cached(build: Build, tmp_path: Path) -> None:
    dockerfile = FROM + "COPY answer /answer\nRUN grep -q yes /answer\n"
    with pytest.raises(ImageError):
        build(dockerfile, {"answer": "no\n"})
    build(dockerfile, {"answer": "yes\n"})
    with pytest.raises(ImageError):
        build(dockerfile, {"answer": "no\n"})


def test_unknown_base_says_what_to_do(build: Build) -> None:
    with pytest.raises(ImageError, match="no-such-base") as caught:
        build("FROM no-such-base:9.99\nRUN true\n")
    assert len(str(caught.value)) > len("no-such-base:9.99") + 20


def test_build_timeout(build: Build) -> None:
    number = unique_sleep()
    started = time.monotonic()
    with pytest.raises((ImageError, SandboxError), match=r"2(\.0)? ?s|time"):
        build(FROM + f"RUN trap '' TERM; sleep {number}; sleep {number}\n", timeout_s=2)
    assert time.monotonic() - started < 20
    assert gone(number)


def test_build_memory(build: Build) -> None:
    with pytest.raises(ImageError):
        build(FROM + 'RUN python3 -c "x = bytearray(600 << 20); print(len(x))"\n', memory_mb=256)


def test_background_process_of_a_step_does_not_hold_the_build(build: Build) -> None:
    number = unique_sleep()
    started = time.monotonic()
    build(FROM + f"RUN sleep {number} & echo done > /done\n")
    assert time.monotonic() - started < 30
    assert gone(number)


@pytest.mark.parametrize(
    ("dockerfile", "named"),
    [
        ("", "Dockerfile"),
        ("# nothing\n", "Dockerfile"),
        ("RUN echo before from\n", "FROM|no build stage"),
        (FROM + "RUM echo typo\n", "RUM"),
        (FROM + "COPY missing /there\n", "missing"),
        (FROM + "COPY *.nothing /there/\n", "nothing"),
        (FROM + "COPY onlyone\n", "COPY"),
        (FROM + "COPY ../outside /there\n", "outside"),
        (FROM + "COPY --from=elsewhere /a /b\n", "elsewhere"),
        (FROM + "WORKDIR\n", "WORKDIR"),
        (FROM + "ENV\n", "ENV"),
        (FROM + "SHELL /bin/bash -c\n", "SHELL"),
        (FROM + "USER nosuchuser\nRUN true\n", "nosuchuser"),
    ],
)
def test_malformed_dockerfile(build: Build, tmp_path: Path, dockerfile: str, named: str) -> None:
    (tmp_path / "outside").write_text("outside")
    with pytest.raises(ImageError, match=named):
        build(dockerfile)


def test_missing_dockerfile(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="Dockerfile"):
        backend.build(tmp_path)
    with pytest.raises(ImageError, match="nowhere"):
        backend.build(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("dockerfile", "named"),
    [
        (f"FROM python:3.11-bookworm AS one\nRUN echo 1 > /1\n{FROM}COPY --from=one /1 /one\n", "--from|stage"),
        (FROM + "RUN <<EOF\necho from heredoc > /one\nEOF\n", "(?i)heredoc|here-document|<<"),
        (FROM + "COPY <<EOF /one\ntext\nEOF\n", "(?i)heredoc|here-document|<<"),
        (FROM + "COPY --chmod=600 file /one\n", "--chmod"),
        (FROM + "RUN --mount=type=cache,target=/cache echo 1 > /one\n", "--mount"),
        (FROM + "ADD https://example.com/file /one\n", "(?i)url|https://example.com"),
        (FROM + "ONBUILD RUN true\nRUN echo 1 > /one\n", "ONBUILD"),
    ],
    ids=["multi-stage", "heredoc-run", "heredoc-copy", "chmod", "mount", "url", "onbuild"],
)
def test_what_may_be_refused(build: Build, make_sandbox: Callable[..., Sandbox], dockerfile: str, named: str) -> None:
    """It works as in Docker, or an ImageError names it: silently something else is the one thing that may not be."""
    try:
        image = build(dockerfile, {"file": "text\n"})
    except ImageError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert make_sandbox(image=image).exec("[ -s /one ] && echo there").stdout == "there\n"
    assert not refusal or re.search(named, refusal)


# ------------------------------------------------------------------------------------------- instructions


def test_env(run: Callable[..., str]) -> None:
    dockerfile = """
ENV A=1 B="two words" C='single $A' D=back\\ slash
ENV E old style  with spaces
ENV F=${A}-x G=$B H=${MISSING:-default} I=${A:+set} J=\\$A
ENV A=2 K=$A
ENV PATH=/opt/first:$PATH
RUN printenv A > /at-build && echo "$G" >> /at-build
"""
    command = 'cat /at-build; for v in A B C D E F G H I J K; do printf "%s=%s|" $v "${!v}"; done; echo ${PATH%%:*}'
    assert run(dockerfile, {}, command) == (
        "2\ntwo words\nA=2|B=two words|C=single $A|D=back slash|E=old style  with spaces|"
        "F=1-x|G=two words|H=default|I=set|J=$A|K=1|/opt/first\n"
    )


def test_env_reaches_the_image(build: Build) -> None:
    image = build(FROM + "ENV ONE=1\nWORKDIR /here\nENV TWO=${ONE}2\n")
    assert (image.env["ONE"], image.env["TWO"], image.workdir) == ("1", "12", "/here")


def test_arg(run: Callable[..., str]) -> None:
    dockerfile = """
ARG WITH=default
ARG WITHOUT
ARG COMPOSED=$WITH-more
RUN echo "$WITH [$WITHOUT] $COMPOSED" > /args
ENV KEPT=$WITH
COPY $WITH /copied
"""
    assert run(dockerfile, {"default": "content\n"}, "cat /args /copied; echo [$WITH] $KEPT") == (
        "default [] default-more\ncontent\n[] default\n"
    )


def test_arg_before_from(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    image = build("ARG TAG=3.11-bookworm\nFROM python:${TAG}\nRUN echo [$TAG] > /tag\n")
    assert make_sandbox(image=image).exec("cat /tag").stdout == "[]\n", "it ends with FROM"


def test_workdir(run: Callable[..., str]) -> None:
    dockerfile = """
WORKDIR /one
WORKDIR two/three
RUN pwd > where
ENV PLACE=/four
WORKDIR $PLACE
COPY file .
COPY file sub/
"""
    assert run(dockerfile, {"file": "f\n"}, "pwd; cat /one/two/three/where; ls -R") == (
        "/four\n/one/two/three\n.:\nfile\nsub\n\n./sub:\nfile\n"
    )


def test_run_forms(run: Callable[..., str]) -> None:
    dockerfile = r"""
RUN echo $0 > /shell && cd /tmp
RUN pwd > /place
RUN ["python3", "-c", "open('/argv', 'w').write('$HOME \"q\"\\n')"]
RUN echo one \
    # a comment between continued lines
    two \

    three > /continued
run echo lower > /lower
RUN echo "tab\there" 'sq $HOME' "$HOME" > /quoted
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN [[ a == a ]] && echo ${BASH##*/} > /bash
"""
    assert run(dockerfile, {}, "cat /shell /place /argv /continued /lower /bash; cat /quoted") == (
        '/bin/sh\n/\n$HOME "q"\none two three\nlower\nbash\n' + "tab\there sq $HOME /root\n"
    )


def test_every_step_sees_the_one_before(run: Callable[..., str]) -> None:
    dockerfile = """
RUN mkdir -p /data/a && echo 1 > /data/a/one && echo 2 > /data/a/two && echo k > /data/keep
RUN rm /data/a/one && chmod 700 /data/a/two
RUN rm -r /data/a && mkdir /data/a && echo 3 > /data/a/three && ln -s three /data/a/link
RUN echo t > /tmp/t && echo r > /root/r && echo v > /var/tmp/v && rm /data/keep
"""
    command = "find /data | sort; cat /data/a/link /tmp/t /root/r /var/tmp/v"
    assert run(dockerfile, {}, command) == "/data\n/data/a\n/data/a/link\n/data/a/three\n3\nt\nr\nv\n"


FILES: dict[str, str | bytes] = {
    "a.txt": "a\n",
    "b.txt": "b\n",
    "c.md": "c\n",
    "with space": "space\n",
    "dir/one": "1\n",
    "dir/sub/two": "2\n",
    "dir/.hidden": "h\n",
    "other/three": "3\n",
}


@pytest.mark.parametrize(
    ("dockerfile", "command", "output"),
    [
        ("COPY a.txt /there/renamed", "cat /there/renamed", "a\n"),
        ("COPY a.txt /there/", "cat /there/a.txt", "a\n"),
        ("COPY a.txt b.txt /there/", "cat /there/*", "a\nb\n"),
        ("COPY *.txt /there/", "ls /there", "a.txt\nb.txt\n"),
        ("COPY ?.md [ab].txt /there/", "ls /there", "a.txt\nb.txt\nc.md\n"),
        ('COPY ["with space", "/there/it is"]', "cat '/there/it is'", "space\n"),
        ("COPY dir /there", "cd /there; find . | sort", ".\n./.hidden\n./one\n./sub\n./sub/two\n"),
        ("COPY dir other /there/", "cd /there; find . | sort", ".\n./.hidden\n./one\n./sub\n./sub/two\n./three\n"),
        ("COPY dir/sub/two /there", "cat /there", "2\n"),
        ("COPY ./dir/../a.txt /there", "cat /there", "a\n"),
        ("COPY /a.txt /there", "cat /there", "a\n"),
        ("COPY . /there/", "cd /there; ls -A", "a.txt\nb.txt\nc.md\ndir\nDockerfile\nother\nwith space\n"),
        ("RUN mkdir -p /there/one\nCOPY a.txt /there/one", "cat /there/one/a.txt", "a\n"),
        ("COPY a.txt /etc/there.txt", "cat /etc/there.txt; ls /etc/passwd", "a\n/etc/passwd\n"),
        ("COPY dir /there\nCOPY other /there", "ls /there", "one\nsub\nthree\n"),
        ("ADD a.txt dir /there/", "cd /there; find . | sort", ".\n./.hidden\n./a.txt\n./one\n./sub\n./sub/two\n"),
        ("WORKDIR /w\nCOPY a.txt ./\nCOPY b.txt sub/", "cat /w/a.txt /w/sub/b.txt", "a\nb\n"),
        ("COPY a.txt /there/\nRUN echo changed > /there/a.txt", "cat /there/a.txt", "changed\n"),
        ("COPY --chown=65534:65534 dir /there", "stat -c '%u:%g' /there/one /there/sub/two", "65534:65534\n" * 2),
        ("COPY --chown=nobody:nogroup a.txt /there", "stat -c '%U:%G' /there", "nobody:nogroup\n"),
        ("COPY a.txt /there", "stat -c '%u:%g' /there", "0:0\n"),
    ],
)
def test_copy(run: Callable[..., str], dockerfile: str, command: str, output: str) -> None:
    assert sorted(run(dockerfile + "\n", FILES, command).split()) == sorted(output.split())


def test_copy_keeps_modes_and_links(build: Build, make_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    context = tmp_path / "context"
    (context / "dir").mkdir(parents=True)
    (context / "dir" / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (context / "dir" / "run.sh").chmod(0o755)
    (context / "dir" / "link").symlink_to("run.sh")
    (context / "dir" / "empty").mkdir()
    image = build(FROM + "COPY dir /there\n")
    command = "/there/run.sh; readlink /there/link; stat -c '%F %a' /there/empty /there/run.sh"
    assert make_sandbox(image=image).exec(command).stdout == "ran\nrun.sh\ndirectory 755\nregular file 755\n"


def test_add_unpacks_a_local_archive(run: Callable[..., str]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("folder/member")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"in\n"))
    dockerfile = "ADD archive.tar.gz /there/\nCOPY archive.tar.gz /copied/\n"
    assert run(dockerfile, {"archive.tar.gz": buffer.getvalue()}, "cat /there/folder/member; ls /copied") == (
        "in\narchive.tar.gz\n"
    )


def test_dockerignore(run: Callable[..., str]) -> None:
    files: dict[str, str | bytes] = {
        ".dockerignore": "# comment\n*.log\n!keep.log\n**/cache\nsecret/\n/top.txt\nDockerfile\n.dockerignore\n",
        "a.log": "",
        "keep.log": "",
        "sub/b.log": "",
        "sub/cache/x": "",
        "cache/y": "",
        "secret/key": "",
        "top.txt": "",
        "sub/top.txt": "",
    }
    assert run("COPY . /there/\n", files, "cd /there; find . -type f | sort") == (
        "./keep.log\n./sub/b.log\n./sub/top.txt\n"
    )


def test_user(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    dockerfile = (
        FROM
        + "RUN useradd --create-home --uid 1500 agent\nRUN mkdir /work && chown agent: /work\n"
        + "USER agent\nWORKDIR /work\nRUN id -un > who && stat -c %U who >> who\nCOPY file .\n"
    )
    try:
        image = build(dockerfile, {"file": "f\n"})
    except AgentGymError as error:
        assert "USER" in str(error) or "user" in str(error)  # noqa: PT017
        return
    sandbox = make_sandbox(image=image)
    assert image.user == "agent"
    assert sandbox.exec("id -un; cat who; stat -c %U file; echo $HOME").stdout == (
        "agent\nagent\nagent\nroot\n/home/agent\n"
    )
    assert sandbox.exec("id -un", user="root").stdout == "root\n"
    assert sandbox.shell().run("id -un; pwd").stdout == "agent\n/work\n"
    assert "denied" in sandbox.exec("touch /etc/x").stderr
    sandbox.write("/work/by-host", b"x")
    assert sandbox.read("/work/who") == b"agent\nagent\n"


def test_setuid_programs_of_the_image_do_not_raise_a_user(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    """The verifier runs tests as nobody; a setuid copy that the agent left behind must not make them root again."""
    sandbox = make_sandbox(image=build(FROM + "RUN cp /usr/bin/id /setuid-id && chmod 4755 /setuid-id\n"))
    assert sandbox.exec("/setuid-id -u", user="nobody").stdout == "65534\n"


def test_what_only_docker_run_would_use_is_accepted(run: Callable[..., str]) -> None:
    dockerfile = """
LABEL org.example.name="value" other=2
EXPOSE 80 443/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK NONE
ENTRYPOINT ["/bin/false"]
CMD ["no-such-program"]
"""
    assert run(dockerfile, {}, "echo started") == "started\n"


def test_comments_directives_and_line_ends(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    dockerfile = (
        "# syntax=docker/dockerfile:1\n\n# a comment\n  # an indented one\n  FROM python:3.11-bookworm  \n\n"
        "RUN echo 'a # b' > /hash   \n# between\nRUN true\\\n  && echo \"x\" >> /hash"
    )
    assert make_sandbox(image=build(dockerfile)).exec("cat /hash").stdout == "a # b\nx\n"


def test_windows_line_ends(build: Build, make_sandbox: Callable[..., Sandbox]) -> None:
    dockerfile = "FROM python:3.11-bookworm\r\nENV A=1\r\nRUN echo $A \\\r\n  two > /f\r\n"
    assert make_sandbox(image=build(dockerfile)).exec("cat /f; echo $A").stdout == "1 two\n1\n"


def test_link_of_the_context_does_not_bring_host_files_in(
    build: Build, make_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    (tmp_path / "host-secret").write_text("canary of the host")
    context = tmp_path / "context"
    (context / "dir").mkdir(parents=True)
    (context / "dir" / "link").symlink_to(tmp_path / "host-secret")
    (context / "direct").symlink_to(tmp_path / "host-secret")
    (context / "folder").symlink_to(tmp_path)
    sandbox = make_sandbox(image=build(FROM + "COPY dir /there\n"))
    assert "canary" not in sandbox.exec("cat /there/link").stdout
    for line in ("COPY direct /direct", "COPY folder/host-secret /direct", "COPY folder /direct"):
        try:
            image = build(FROM + line + "\n")
        except ImageError:
            continue
        assert "canary" not in make_sandbox(image=image).exec("cat /direct /direct/*").stdout, line

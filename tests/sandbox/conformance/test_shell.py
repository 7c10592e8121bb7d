"""Sandbox.shell: one live bash."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentgym.errors import SandboxLost
from agentgym.protocols import Limits, Sandbox, Shell
from tests.sandbox.host import gone, unique_sleep


@pytest.fixture
def shell(sandbox: Sandbox) -> Iterator[Shell]:
    shell = sandbox.shell()
    yield shell
    shell.close()


def test_starts_in_workdir_with_the_environment(make_sandbox: Callable[..., Sandbox]) -> None:
    shell = make_sandbox(env={"SPEC": "s"}).shell()
    assert shell.run("pwd; echo $AGENTGYM_TEST $SPEC $HOME").stdout == "/app\nbase s /root\n"


def test_state_persists(shell: Shell) -> None:
    shell.run("cd deep/er; plain='a  b'; export EXPORTED=e; double() { echo $(($1 * 2)); }; list=(1 2 3); umask 027")
    assert shell.run('pwd; echo "$plain"; printenv EXPORTED; double 21; echo ${#list[@]}; umask').stdout == (
        "/app/deep/er\na  b\ne\n42\n3\n0027\n"
    )
    assert shell.run("cd -").stdout == "/app\n"
    shell.run("alias hi='echo aliased'; shopt -s expand_aliases")
    assert shell.run("hi").stdout == "aliased\n"


def test_result(shell: Shell) -> None:
    result = shell.run("echo out; sleep 0.1; echo err >&2; echo more; (exit 6)")
    assert (result.exit_code, result.stdout, result.stderr) == (6, "out\nerr\nmore\n", "")
    assert (result.timed_out, result.truncated) == (False, False)
    assert 0.1 <= result.duration_s < 10


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("printf abc", "abc"),
        ("printf '\\n\\nabc\\n\\n'", "\n\nabc\n\n"),
        ("", ""),
        ("   ", ""),
        ("# only a comment", ""),
        ("echo hi # and a comment", "hi\n"),
        ("echo hi;", "hi\n"),
        ("echo hi &&\necho ho", "hi\nho\n"),
        ("echo one \\\n  two", "one two\n"),
        ("echo 'é☃' $'\\xff'", "é☃ \ufffd\n"),
        ("cat <<'EOF'\n$HOME 'x' `id`\n\nEOF\necho end", "$HOME 'x' `id`\n\nend\n"),
        ("cat <<-EOF\n\t$((1 + 1))\n\tEOF", "2\n"),
        ("cat <<'EOF' > /tmp/f\nline\nEOF\ncat /tmp/f", "line\n"),
        ("for i in 1 2\ndo\n  echo $i\ndone", "1\n2\n"),
        ("f() {\n  echo in f\n}\nf", "in f\n"),
        ("echo '\"' \"'\" '`' '\\' '$x' '!' '%s'", "\" ' ` \\ $x ! %s\n"),
        ("python3 - <<'EOF'\nprint('''a\nb''')\nEOF", "a\nb\n"),
        ("echo a\r\n", "a\r\n"),
    ],
)
def test_output_is_exact(shell: Shell, command: str, output: str) -> None:
    result = shell.run(command)
    assert (result.exit_code, result.stdout) == (0, output)
    assert shell.run("echo next").stdout == "next\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("true", 0),
        ("false", 1),
        ("(exit 200)", 200),
        ("echo a; false", 1),
        ("no-such-program", 127),
        ("/app/notes.txt", 126),
        ("bash -c 'kill -KILL $$'", 137),
        ("sleep 9 & kill -TERM $!; wait $!", 143),
    ],
)
def test_exit_code(shell: Shell, command: str, code: int) -> None:
    assert shell.run(command).exit_code == code
    assert shell.run("echo next").stdout == "next\n"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("if then", "syntax error"),
        ("echo 'unbalanced", "unexpected EOF"),
        ('echo "unbalanced', "unexpected EOF"),
        ("echo $(unbalanced", "unexpected EOF"),
        ("echo `unbalanced", "unexpected EOF"),
        ("while true; do echo x", "unexpected end of file"),
        ("f() {", "unexpected end of file"),
        ("echo )", "syntax error"),
        ("done", "syntax error"),
    ],
)
def test_malformed_command(shell: Shell, command: str, complaint: str) -> None:
    shell.run("kept=yes")
    started = time.monotonic()
    result = shell.run(command)
    assert time.monotonic() - started < 5
    assert result.exit_code != 0
    assert complaint in result.stdout
    assert shell.run("echo $kept").stdout == "yes\n"


def test_unfinished_heredoc(shell: Shell) -> None:
    result = shell.run("cat <<'EOF'\ntext")
    assert result.stdout.startswith("text\n") or "here-document" in result.stdout
    assert shell.run("echo next").stdout == "next\n"


@pytest.mark.parametrize(
    "command", ["cat", "read line; echo got:$line", "python3 -c 'input()'", "bash", "wc -c", "head -n 1"]
)
def test_command_that_reads_stdin_gets_nothing(shell: Shell, command: str) -> None:
    started = time.monotonic()
    shell.run(command)
    assert time.monotonic() - started < 8
    assert shell.run("echo next").stdout == "next\n"


def test_huge_output(make_sandbox: Callable[..., Sandbox]) -> None:
    shell = make_sandbox(limits=Limits(output_bytes=5000)).shell()
    result = shell.run("echo start; seq 1 3000000; (exit 9)")
    assert (result.exit_code, result.truncated, len(result.stdout.encode())) == (9, True, 5000)
    assert result.stdout.startswith("start\n1\n2\n")
    following = shell.run("echo next")
    assert (following.stdout, following.truncated) == ("next\n", False)


@pytest.mark.parametrize(
    "command",
    [
        "sleep {n}",
        "trap '' INT TERM HUP QUIT; sleep {n}; sleep {n}",
        "while :; do :; done",
        "trap '' INT TERM; while :; do sleep {n}; done",
        "setsid --fork sleep {n}; (trap '' INT TERM HUP; setsid sleep {n} &); sleep {n}",
        "kill -STOP $$",
        "read -t 100 line < <(sleep {n})",
    ],
    ids=["plain", "ignore", "builtin", "stubborn", "orphans", "stopped", "builtin-read"],
)
def test_timeout(shell: Shell, command: str) -> None:
    number = unique_sleep()
    shell.run("cd deep; kept=yes")
    started = time.monotonic()
    result = shell.run(f"echo before; {command.format(n=number)}", timeout_s=0.5)
    assert time.monotonic() - started < 10
    assert (result.exit_code, result.timed_out) == (124, True)
    assert result.stdout.startswith("before\n")
    assert gone(number)
    following = shell.run('echo "$kept"; pwd')
    if following.stdout != "yes\n/app/deep\n":
        assert following.stdout == "\n/app\n", "either the old shell or a fresh one"
        assert "shell" in result.stdout.splitlines()[-1], "the result must say that a fresh shell took its place"


def test_timeout_is_usable_again_and_again(shell: Shell) -> None:
    for i in range(3):
        assert shell.run("sleep 60", timeout_s=0.3).timed_out
        assert shell.run(f"echo {i}").stdout == f"{i}\n"


def test_background_job_does_not_hold_the_shell(shell: Shell, sandbox: Sandbox) -> None:
    number = unique_sleep()
    started = time.monotonic()
    assert shell.run(f"sleep {number} & echo started").stdout.endswith("started\n")
    assert time.monotonic() - started < 5
    assert shell.run("echo next").stdout == "next\n"
    assert sandbox.exec(f"pgrep -xf 'sleep {number}' | wc -l").stdout == "1\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 3", 3),
        ("exec true", 0),
        ("exec /no/such", 127),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", None),
        ("set -e; false; echo not reached", 1),
        ("set -u; echo $undefined_variable; echo not reached", None),
        ("trap 'echo bye' EXIT; exit 4", 4),
        ("return 5", None),
        ("exec 1>&- 2>&-", None),
        ("exec >/dev/null 2>&1", None),
        ("exec <&-", None),
        ("set -x", 0),
        ("set -v", 0),
        ("PATH=/nowhere", 0),
        ("unset PATH HOME IFS PWD", 0),
        ("IFS=0123456789", 0),
        ("printf() { builtin printf broken; }; echo() { builtin echo broken; }; eval() { :; }", 0),
        ("rm -rf /tmp/gone; mkdir /tmp/gone; cd /tmp/gone; rmdir /tmp/gone", 0),
        ("trap 'true' DEBUG ERR RETURN", 0),
        ("readonly BASH_ENV PS1 PS2 PROMPT_COMMAND", 0),
        ("ulimit -n 5", None),
        ("umask 777", 0),
        ("set -o posix", 0),
        ("shopt -s extdebug", 0),
    ],
)
def test_shell_survives_what_a_command_does_to_it(shell: Shell, command: str, code: int | None) -> None:
    """By itself or as a fresh one; the sandbox is not lost, and no later result is made up."""
    started = time.monotonic()
    result = shell.run(command, timeout_s=5)
    assert not result.timed_out
    assert code is None or result.exit_code == code
    assert "not reached" not in result.stdout
    shell.run("exit 0", timeout_s=5)
    fresh = shell.run("builtin echo fresh; (exit 7)", timeout_s=5)
    assert time.monotonic() - started < 10
    assert (fresh.exit_code, fresh.stdout) == (7, "fresh\n")


def test_trailing_backslash(shell: Shell) -> None:
    """It joins nothing of how the shell is driven to the command."""
    assert shell.run("echo hi \\", timeout_s=5).stdout in ("hi \\\n", "hi\n")
    assert shell.run("echo next", timeout_s=5).stdout == "next\n"


def test_shell_that_no_longer_runs_anything(shell: Shell) -> None:
    """set -n: bash reads on and executes nothing, the end of that very command included."""
    shell.run("set -n", timeout_s=0.5)
    shell.run("exit 0", timeout_s=0.5)
    assert shell.run("echo fresh", timeout_s=5).stdout == "fresh\n"


def test_junk_on_every_descriptor(shell: Shell) -> None:
    """Whatever the shell reports its results through, a command that writes there confuses nobody for long."""
    junk = "for fd in /proc/self/fd/*; do n=${fd##*/}; [ $n -gt 2 ] && { echo 0 junk >&$n; } 2>/dev/null; done; false"
    shell.run(junk, timeout_s=5)
    shell.run("exit 0", timeout_s=5)
    fresh = shell.run("echo fresh; (exit 7)", timeout_s=5)
    assert (fresh.exit_code, fresh.stdout) == (7, "fresh\n")


def test_a_command_does_not_see_how_the_shell_is_driven(shell: Shell) -> None:
    """Neither the driver's variables nor extra descriptors reach the programs that a command starts."""
    listing = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"
    assert shell.run(f'python3 -c "{listing}"').stdout == "[0, 1, 2, 3]\n"
    inherited = shell.run("env -0 | tr '\\0' '\\n' | cut -d= -f1 | sort").stdout.split()
    assert not [name for name in inherited if "AGENTGYM" in name and name != "AGENTGYM_TEST"]


def test_two_shells_are_independent(sandbox: Sandbox) -> None:
    one, two = sandbox.shell(), sandbox.shell()
    one.run("cd /; x=1")
    two.run("cd /tmp; x=2")
    assert (one.run("pwd; echo $x").stdout, two.run("pwd; echo $x").stdout) == ("/\n1\n", "/tmp\n2\n")
    one.run("exit")
    assert two.run("echo $x").stdout == "2\n"
    one.close()
    assert two.run("echo $x").stdout == "2\n"


def test_shells_run_side_by_side(sandbox: Sandbox) -> None:
    shells = [sandbox.shell() for _ in range(4)]
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda pair: pair[1].run(f"sleep 1; echo {pair[0]}").stdout, enumerate(shells)))
    assert results == [f"{i}\n" for i in range(4)]
    assert time.monotonic() - started < 3.5


def test_close_is_idempotent_and_ends_the_bash(sandbox: Sandbox) -> None:
    shell = sandbox.shell()
    pid = shell.run("echo $$").stdout.strip()
    shell.close()
    shell.close()
    assert sandbox.exec(f"sleep 0.2; [ -e /proc/{pid} ] || echo ended").stdout == "ended\n"


def test_after_stop_the_sandbox_is_lost(sandbox: Sandbox) -> None:
    shell = sandbox.shell()
    shell.run("true")
    sandbox.stop()
    with pytest.raises(SandboxLost):
        shell.run("echo ran")
    shell.close()


def test_shell_and_exec_see_the_same_files(shell: Shell, sandbox: Sandbox) -> None:
    shell.run("echo from shell > shared")
    assert sandbox.read("/app/shared") == b"from shell\n"
    sandbox.write("/app/shared", b"from host\n")
    assert shell.run("cat shared").stdout == "from host\n"


def test_two_hundred_commands(shell: Shell) -> None:
    shell.run("n=0")
    for _ in range(200):
        shell.run("n=$((n + 1))")
    assert shell.run("echo $n").stdout == "200\n"

"""Sandbox.exec: what goes in, what comes out, how commands end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentgym.protocols import ExecResult, Limits, Sandbox
from tests.sandbox.host import eventually, gone, processes, unique_sleep

# ------------------------------------------------------------------------------------------ what goes in


def test_string_runs_under_bash(sandbox: Sandbox) -> None:
    result = sandbox.exec("[[ abc == a* ]] && x=(1 2) && echo ${BASH##*/} ${#x[@]}")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "bash 2\n", "")
    assert not result.timed_out
    assert not result.truncated
    assert 0 < result.duration_s < 10


def test_string_of_several_lines(sandbox: Sandbox) -> None:
    result = sandbox.exec("cat <<'EOF'\n$HOME \"quoted\" 'too'\nEOF\nfor i in 1 2; do\n  echo $i\ndone  # done")
    assert result.stdout == "$HOME \"quoted\" 'too'\n1\n2\n"


def test_argv_is_not_interpreted(sandbox: Sandbox) -> None:
    words = ["$HOME", "a b", "*", "", "`id`", "\n", "é☃", "-n"]
    assert sandbox.exec(["printf", "<%s>", *words]).stdout == "".join(f"<{word}>" for word in words)


def test_argv_may_be_a_tuple(sandbox: Sandbox) -> None:
    assert sandbox.exec(("echo", "one")).stdout == "one\n"


def test_missing_program_is_exit_code_127(sandbox: Sandbox) -> None:
    for command in ("no-such-program --flag", ["no-such-program", "--flag"]):
        result = sandbox.exec(command)
        assert result.exit_code == 127, command
        assert "no-such-program" in result.stderr, command


def test_program_without_execute_permission_is_exit_code_126(sandbox: Sandbox) -> None:
    for command in ("/app/notes.txt", ["/app/notes.txt"]):
        result = sandbox.exec(command)
        assert result.exit_code == 126, command
        assert "denied" in result.stderr.lower(), command


def test_empty_string_does_nothing(sandbox: Sandbox) -> None:
    result = sandbox.exec("")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_command_longer_than_one_argument_may_be(sandbox: Sandbox) -> None:
    """Linux takes 128 KiB in one argument; a model that writes a large file with a heredoc meets that."""
    result = sandbox.exec(f"cat > /app/long <<'EOF'\n{'x' * 200_000}\nEOF\nwc -c < /app/long")
    if result.exit_code == 0:
        assert result.stdout.strip() == "200001"
    else:
        assert result.exit_code == 126
        assert "too long" in result.stderr.lower()
    assert sandbox.exec("echo next").stdout == "next\n"


@pytest.mark.parametrize("command", ["echo a\0b", "echo \ud800"], ids=["nul", "surrogate"])
def test_text_that_no_process_can_take_does_not_harm_the_sandbox(sandbox: Sandbox, command: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(sandbox.exec(command), ExecResult)
    assert sandbox.exec("echo next").stdout == "next\n"


def test_cwd_defaults_to_workdir(sandbox: Sandbox) -> None:
    assert sandbox.spec.image.workdir == "/app"
    assert sandbox.exec("pwd").stdout == "/app\n"
    assert sandbox.exec(["pwd"]).stdout == "/app\n"


def test_cwd(sandbox: Sandbox) -> None:
    assert sandbox.exec("pwd", cwd="/app/deep/er").stdout == "/app/deep/er\n"
    assert sandbox.exec("cd /; pwd").stdout == "/\n"
    assert sandbox.exec("pwd").stdout == "/app\n", "a command must not move the next one"


def test_missing_cwd_is_the_commands_failure(sandbox: Sandbox) -> None:
    result = sandbox.exec("echo ran", cwd="/no/such/folder")
    assert result.exit_code != 0
    assert "ran" not in result.stdout
    assert "/no/such/folder" in result.stderr + result.stdout


def test_env_of_image_spec_and_command(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(env={"COLOUR": "green", "SPEC": "s"})
    show = "echo $AGENTGYM_TEST $COLOUR $SPEC $CALL"
    assert sandbox.exec(show).stdout == "base green s\n"
    assert sandbox.exec(show, env={"COLOUR": "red", "CALL": "c"}).stdout == "base red s c\n"
    assert sandbox.exec(show).stdout == "base green s\n", "a command's variables must not reach the next one"


def test_env_values_are_taken_as_they_are(sandbox: Sandbox) -> None:
    value = "a b\nc=d $HOME 'q' \"é☃"
    assert sandbox.exec(["printenv", "VALUE"], env={"VALUE": value}).stdout == value + "\n"
    assert sandbox.exec('echo "[$EMPTY]${EMPTY-unset}"', env={"EMPTY": ""}).stdout == "[]\n"


def test_env_has_what_every_program_expects(sandbox: Sandbox) -> None:
    result = sandbox.exec('echo "$HOME"; command -v ls env python3 >/dev/null && echo found')
    assert result.stdout == "/root\nfound\n"
    assert sandbox.exec(["python3", "-c", "print(6 * 7)"]).stdout == "42\n"


def test_default_user_is_root(sandbox: Sandbox) -> None:
    assert sandbox.exec("id -u; id -g; id -un").stdout == "0\n0\nroot\n"


def test_user(sandbox: Sandbox) -> None:
    assert sandbox.exec("id -un; id -u", user="nobody").stdout == "nobody\n65534\n"
    assert sandbox.exec(["id", "-u"], user="1234").stdout == "1234\n"
    sandbox.exec("touch /tmp/mine; mkdir -m 700 /root/private", user="root")
    assert sandbox.exec("stat -c %U /tmp/mine").stdout == "root\n"
    for forbidden in ("touch /app/x", "cat /app/private.txt", "ls /root/private", "chown nobody /tmp/mine"):
        result = sandbox.exec(forbidden, user="nobody")
        assert result.exit_code != 0, forbidden
        assert "denied" in result.stderr or "not permitted" in result.stderr, forbidden
    assert sandbox.exec("touch /tmp/theirs", user="nobody").exit_code == 0
    assert sandbox.exec("stat -c %U /tmp/theirs").stdout == "nobody\n"


def test_user_has_no_privileges(sandbox: Sandbox) -> None:
    status = sandbox.exec("grep -E '^(CapInh|CapPrm|CapEff|CapAmb|Groups):' /proc/self/status", user="nobody").stdout
    held = dict(line.split(":") for line in status.splitlines())
    assert {key: int(value, 16) for key, value in held.items() if key != "Groups"} == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapAmb"), 0
    )
    assert "0" not in held["Groups"].split(), "root's group must not come along"


def test_unknown_user_never_runs_as_somebody_else(sandbox: Sandbox) -> None:
    result = sandbox.exec("echo ran", user="nosuchuser")
    assert result.exit_code != 0
    assert "ran" not in result.stdout
    assert "nosuchuser" in result.stderr + result.stdout


def test_stdin(sandbox: Sandbox) -> None:
    data = os.urandom(3 << 20)
    assert sandbox.exec("sha256sum", stdin=data).stdout.split()[0] == hashlib.sha256(data).hexdigest()
    assert sandbox.exec(["cat"], stdin="é\n".encode()).stdout == "é\n"


def test_stdin_that_nobody_reads(sandbox: Sandbox) -> None:
    assert sandbox.exec("exit 3", stdin=b"x" * (3 << 20)).exit_code == 3
    assert sandbox.exec("head -c 5", stdin=b"0123456789" * 300_000).stdout == "01234"


def test_stdin_is_empty_by_default(sandbox: Sandbox) -> None:
    assert sandbox.exec("cat; read x || echo end").stdout == "end\n"
    assert "EOFError" in sandbox.exec(["python3", "-c", "input()"]).stderr
    assert sandbox.exec("[ -t 0 ] || [ -t 1 ] || echo no terminal").stdout == "no terminal\n"


def test_no_descriptor_leaks_in(sandbox: Sandbox) -> None:
    """0, 1, 2 and the one that lists the folder."""
    listing = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"
    assert sandbox.exec(["python3", "-c", listing]).stdout == "[0, 1, 2, 3]\n"


# ----------------------------------------------------------------------------------------- what comes out


@pytest.mark.parametrize("code", [0, 1, 2, 7, 124, 125, 126, 127, 137, 255])
def test_exit_code(sandbox: Sandbox, code: int) -> None:
    for command in (f"exit {code}", ["bash", "-c", f"exit {code}"]):
        result = sandbox.exec(command)
        assert result.exit_code == code
        assert not result.timed_out


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("TERM", 15), ("SEGV", 11), ("INT", 2), ("USR1", 10)])
def test_signal_is_128_more(sandbox: Sandbox, name: str, number: int) -> None:
    program = f"import os, signal; os.kill(os.getpid(), signal.SIG{name})"
    for command in (f"kill -{name} $$", ["python3", "-S", "-c", f"import signal; signal.signal(2, 0); {program}"]):
        result = sandbox.exec(command)
        assert result.exit_code == 128 + number, command
        assert not result.timed_out


def test_stderr_is_apart(sandbox: Sandbox) -> None:
    result = sandbox.exec("echo 1; echo a >&2; echo 2; echo b >&2; exit 4")
    assert (result.exit_code, result.stdout, result.stderr) == (4, "1\n2\n", "a\nb\n")


def test_output_is_not_touched(sandbox: Sandbox) -> None:
    assert sandbox.exec(r"printf 'a\r\nb\0c\td\x1b[0m'").stdout == "a\r\nb\0c\td\x1b[0m"


def test_invalid_bytes_are_replaced(sandbox: Sandbox) -> None:
    result = sandbox.exec(r"printf '\xff\xfe ok'; printf 'caf\xe9' >&2")
    assert result.stdout == "\ufffd\ufffd ok"
    assert result.stderr == "caf\ufffd"


def test_characters_across_chunks_stay_whole(sandbox: Sandbox) -> None:
    program = "import sys; sys.stdout.buffer.write(b'a' + '☃'.encode() * 100_000)"
    result = sandbox.exec(["python3", "-c", program])
    assert result.stdout == "a" + "☃" * 100_000
    assert not result.truncated


def test_output_bytes(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(output_bytes=10_000))
    for stream in ("stdout", "stderr"):
        write = f"import sys; sys.{stream}.write('start' + 'x' * (%d - 5)); sys.{'stdout'}.flush(); sys.exit(3)"
        whole = sandbox.exec(["python3", "-c", write % 10_000])
        assert (len(getattr(whole, stream)), whole.truncated, whole.exit_code) == (10_000, False, 3)
        cut = sandbox.exec(["python3", "-c", write % 10_001])
        assert (len(getattr(cut, stream)), cut.truncated, cut.exit_code) == (10_000, True, 3)
        assert getattr(cut, stream).startswith("startxxx")


def test_flood_is_read_and_dropped(make_sandbox: Callable[..., Sandbox]) -> None:
    """Both streams at once, 40 MB each: no deadlock, no SIGPIPE, the command's own exit code."""
    sandbox = make_sandbox(limits=Limits(output_bytes=1000))
    result = sandbox.exec("head -c 40M /dev/zero & head -c 40M /dev/zero >&2; wait; exit 5", timeout_s=60)
    assert (result.exit_code, result.truncated, result.timed_out) == (5, True, False)
    assert (len(result.stdout), len(result.stderr)) == (1000, 1000)


def test_output_cut_inside_a_character(make_sandbox: Callable[..., Sandbox]) -> None:
    result = make_sandbox(limits=Limits(output_bytes=100)).exec(["python3", "-c", "print('☃' * 1000)"])
    assert result.truncated
    assert result.stdout.rstrip("\ufffd") == "☃" * 33


# ---------------------------------------------------------------------------------------- how commands end


def test_timeout(sandbox: Sandbox) -> None:
    started = time.monotonic()
    result = sandbox.exec("echo before; echo problem >&2; sleep 60; echo after", timeout_s=0.5)
    assert time.monotonic() - started < 8
    assert (result.exit_code, result.timed_out) == (124, True)
    assert (result.stdout, result.stderr) == ("before\n", "problem\n")
    assert 0.5 <= result.duration_s < 8
    assert sandbox.exec("echo next").stdout == "next\n"


@pytest.mark.parametrize(
    "program",
    [
        "sleep {n}",
        "trap '' TERM INT HUP QUIT; sleep {n}; sleep {n}",
        "trap 'sleep {n}' TERM INT EXIT; while :; do sleep {n}; done",
        "kill -STOP $$; sleep {n}",
        "(trap '' TERM HUP; sleep {n}) & (trap '' TERM HUP; sleep {n}) & wait",
        "setsid sleep {n} & sleep {n}",
        "setsid --fork bash -c 'trap \"\" TERM HUP INT; sleep {n}; sleep {n}'; sleep {n}",
        "(setsid setsid --fork sleep {n} &) ; nohup sleep {n} >/dev/null 2>&1 & sleep {n}",
        "set -m; sleep {n} & disown; (sleep {n} & disown); sleep {n}",
        "yes {n} & yes {n} >&2",
    ],
    ids=["plain", "ignore", "trap", "stopped", "jobs", "setsid", "orphan", "daemon", "disowned", "flood"],
)
def test_timeout_kills_the_whole_tree(sandbox: Sandbox, program: str) -> None:
    number = unique_sleep()
    started = time.monotonic()
    result = sandbox.exec(program.format(n=number), timeout_s=0.5)
    assert time.monotonic() - started < 10
    assert (result.exit_code, result.timed_out) == (124, True)
    assert gone(number), f"still running: {processes(number)}"


def test_timeout_of_a_daemon(sandbox: Sandbox) -> None:
    """Double fork, new session, descriptors closed: as daemons do it."""
    number = unique_sleep()
    program = f"""
import os, signal, time
if not os.fork():
    os.setsid()
    if not os.fork():
        for number in range(1, 65):
            if number not in (9, 19, 32, 33):
                signal.signal(number, signal.SIG_IGN)
        os.closerange(0, 100)
        os.chdir("/")
        os.execvp("sleep", ["sleep", "{number}"])
    os._exit(0)
time.sleep(60)
"""
    assert sandbox.exec(["python3", "-c", program], timeout_s=1).timed_out
    assert gone(number), f"still running: {processes(number)}"


def test_timeout_spares_other_commands(sandbox: Sandbox) -> None:
    earlier, beside = unique_sleep(), unique_sleep()
    sandbox.exec(f"sleep {earlier} >/dev/null 2>&1 &")
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(sandbox.exec, f"sleep 1.5; pgrep -f 'sleep {earlier}$' >/dev/null && echo fine; : {beside}")
        assert eventually(lambda: bool(processes(beside)))
        assert sandbox.exec("sleep 60", timeout_s=0.5).timed_out
        assert slow.result().stdout == "fine\n"
    assert processes(earlier)


def test_command_that_ends_just_before_its_timeout(sandbox: Sandbox) -> None:
    result = sandbox.exec("sleep 0.5; exit 124", timeout_s=20)
    assert (result.exit_code, result.timed_out) == (124, False)
    # by the host's clock, which may learn of the beginning later after the fact than of the end
    assert 0.25 < result.duration_s < 20


def test_background_process_lives_on(sandbox: Sandbox) -> None:
    """It holds stdout open: the command is over all the same, and its output complete."""
    number = unique_sleep()
    started = time.monotonic()
    result = sandbox.exec(f"sleep {number} & seq 1 50000; echo last")
    assert time.monotonic() - started < 8
    assert result.exit_code == 0
    assert result.stdout.endswith("50000\nlast\n")
    assert sandbox.exec(f"pgrep -xf 'sleep {number}' | wc -l").stdout == "1\n"
    sandbox.stop()
    assert gone(number)


def test_background_process_that_keeps_writing(sandbox: Sandbox) -> None:
    """What it writes after the command is lost; the writer itself goes on."""
    result = sandbox.exec(
        "(trap '' PIPE; for i in $(seq 200); do echo tick; echo $i >> /app/ticks; sleep 0.05; done) &"
    )
    assert result.exit_code == 0
    first = sandbox.exec("sleep 0.3; wc -l < /app/ticks").stdout
    second = sandbox.exec("sleep 0.3; wc -l < /app/ticks").stdout
    assert int(second) > int(first)


def test_no_zombies_remain(sandbox: Sandbox) -> None:
    for _ in range(10):
        sandbox.exec("for i in 1 2 3; do (sleep 0.05 &); done")
    count = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l"
    assert eventually(lambda: sandbox.exec(count).stdout == "0\n")


def test_commands_run_side_by_side(sandbox: Sandbox) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda i: sandbox.exec(f"sleep 1; echo {i}; exit {i}"), range(8)))
    assert [(result.exit_code, result.stdout) for result in results] == [(i, f"{i}\n") for i in range(8)]
    assert time.monotonic() - started < 6, "eight commands of one second took turns"


def test_killing_every_process_spares_the_sandbox(sandbox: Sandbox) -> None:
    """An agent's careless `pkill` is no infrastructure failure."""
    number = unique_sleep()
    sandbox.exec(f"sleep {number} >/dev/null 2>&1 &")
    sandbox.exec("kill -KILL -1")
    assert gone(number)
    assert sandbox.alive()
    assert sandbox.exec("kill -KILL 1; kill -TERM 1; echo still here").stdout == "still here\n"

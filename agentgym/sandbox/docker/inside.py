"""What of ours runs inside a container, and the host's end of it: pid 1, and the wrapper around each command.

Both are bash and use its builtins alone: a sandbox whose processes are used up can still be cleaned. Pid 1 cannot be
killed from inside, so a careless `pkill` does not end the sandbox.
"""

from __future__ import annotations

import threading
import time

from agentgym.sandbox.docker.stream import AttachedStream

ANSWER_TIMEOUT_S = 10.0
"""Longer than any kill takes."""

# pid 1: reaps orphans, kills on request, ends after TTL seconds or with the owner; it never forks, as a fork that fails
# for want of processes ends a bash. `-p` keeps the image's BASH_ENV out
_WARDEN = r"""
exec 2>/dev/null
for number in {1..16} {18..64}; do trap '' "$number"; done  # 17 is CHLD, which reaps

survey() {  # sets victims (what is to go) and running (those of them that are not stopped)
    local stat line pid
    local -a fields state
    parent=() session=() victims=() running=()
    local -a started=()
    for stat in /proc/[0-9]*/stat; do
        line=
        read -r -d '' line <"$stat"
        [[ $line ]] || continue
        pid=${line%% *}
        fields=(${line##*) })
        state[pid]=${fields[0]} parent[pid]=${fields[1]} session[pid]=${fields[3]} started[pid]=${fields[19]}
    done
    own=${session[spared]:--1}
    for pid in "${!started[@]}"; do
        ((pid == 1 || pid == spared || started[pid] < since)) && continue
        [[ ${state[pid]} == [ZX] ]] && continue
        mine "$pid" || continue
        victims+=("$pid")
        [[ ${state[pid]} == T ]] || running+=("$pid")
    done
}

mine() {  # whether the process descends from the spared one
    local pid=$1 leader
    while ((pid != spared && session[pid] != own)); do
        if ((${parent[pid]:-0} == 0)); then return 1; fi  # another command
        if ((parent[pid] == 1)); then  # an orphan: ours, unless the command that its session belongs to lives
            leader=${session[pid]}
            [[ ${parent[leader]:-1} != 0 ]]
            return
        fi
        pid=${parent[pid]}
    done
}

slay() {  # PID SINCE_TICKS SHELL_TOO: all that descends from PID; stopped first, so that nothing forks on
    local spared=$1 since=$2 own limit=$((SECONDS + 6))
    local -a parent session victims running
    kill -STOP "$spared"
    while survey; ((${#running[@]} && SECONDS < limit)); do kill -STOP "${running[@]}"; done
    while survey; ((${#victims[@]} && SECONDS < limit)); do kill -KILL "${victims[@]}"; done
    if (($3)); then kill -KILL "$spared"; else kill -CONT "$spared"; fi
}

end=$((SECONDS + $1)) line= failures=0
while ((SECONDS < end && failures < 5)); do  # at the end of input, which comes with the owner's, reading only fails
    # SIGCHLD is held back while this waits: short waits, for orphans to be reaped soon
    if IFS= read -r -t 0.2 piece; then
        set -- $line$piece  # SEQ VERB PID SINCE SHELL_TOO
        case $2 in
            slay) slay "$3" "$4" "$5" ;;
            slay-all) kill -KILL -1 ;;
        esac
        printf '%s\n' "$1"
        line= failures=0
    else
        failures=$(($? > 128 ? 0 : failures + 1)) line+=$piece
    fi
done
"""

# $1 nonce, $2 folder, then argv. fd 18 is the command's stderr; markers go to both streams, as their order is not kept
_WRAPPER = r"""
trap : HUP INT QUIT TERM USR1 USR2 PIPE ALRM
exec 18>&2 2>/dev/null
oom_kills() {
    local file key count
    kills=0
    for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
        [[ -r $file ]] && while read -r key count; do [[ $key == oom_kill ]] && kills=$count; done <"$file"
    done
}
nonce=$1
IFS=' ' read -r up _ </proc/uptime
oom_kills
printf '\036%s kills %d 0\n' "$nonce" "$kills" >&18
printf '\036%s begin %d %s\n' "$nonce" "$$" "$up"
if cd -- "$2" 2>&18; then
    unset OLDPWD
    shift 2
    (exec -- "$@") 2>&18 18>&-
    status=$?
else
    status=126
fi
oom_kills
printf '\036%s end %d %d\n' "$nonce" "$kills" "$status" >&18
printf '\036%s end 0 0\n' "$nonce"
"""

_ENTER = r"""cd -- "$1" || cd /; unset OLDPWD; shift; exec -- "$@" """


def warden_argv(ttl_s: float) -> list[str]:
    """What a container runs as pid 1."""
    return ["bash", "-p", "-c", _WARDEN, "warden", str(max(1, round(ttl_s)))]


def command_argv(argv: list[str], nonce: str, cwd: str) -> list[str]:
    """`argv` in `cwd`, its begin and end marked by lines of `shell.Capture`'s form:

    stdout  `begin PID UPTIME`        `end 0 0`
    stderr  `kills OOM_KILLS 0`       `end OOM_KILLS STATUS`
    """
    return ["bash", "-p", "-c", _WRAPPER, "sandbox", nonce, cwd, *argv]


def shell_argv(argv: list[str], cwd: str) -> list[str]:
    """`argv` in `cwd`, or in / when that is gone."""
    return ["bash", "-p", "-c", _ENTER, "sandbox", cwd, *argv]


class Warden:
    """The host's end of pid 1."""

    def __init__(self, stream: AttachedStream) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._seq = 0

    def slay(self, pid: int, since_s: float, *, shell_too: bool) -> bool:
        """What `shell.Kill` says; False when no answer came."""
        return self._ask(f"slay {pid} {round(since_s * 100)} {int(shell_too)}")

    def slay_all(self) -> bool:
        """Kill every process but pid 1."""
        return self._ask("slay-all")

    def alive(self) -> bool:
        return self._ask("ping")

    def close(self) -> None:
        self._stream.abort()
        with self._lock:
            self._stream.close()

    def _ask(self, request: str) -> bool:
        with self._lock:
            self._seq += 1
            deadline = time.monotonic() + ANSWER_TIMEOUT_S
            answer, received = b"%d\n" % self._seq, b""
            try:
                self._stream.send(f"{self._seq} {request}\n".encode())
                while not received.endswith(answer):
                    chunk = self._stream.recv(max(0.0, deadline - time.monotonic()))
                    if not chunk:
                        return False
                    received += chunk
            except OSError:  # TimeoutError included
                return False
            return True

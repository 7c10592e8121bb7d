#!/usr/bin/env bash
# Make this machine ready for `--sandbox docker`: engine installed, daemon running, base image there.
# Root on Debian or Ubuntu. Safe to run again: what is there stays as it is. Ends with one line that says what it did.
#
#   scripts/setup-docker.sh [IMAGE]      IMAGE: what the tasks start FROM (default python:3.11-bookworm)
set -euo pipefail
cd "$(dirname "$0")"

image=${1:-python:3.11-bookworm}
log=${XDG_CACHE_HOME:-/tmp}/agentgym-dockerd.log
did=()

fail() { echo "setup-docker: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "this must run as root (installs packages, starts the daemon): sudo $0"

packages=()
command -v dockerd >/dev/null || packages+=(docker.io)
command -v debootstrap >/dev/null || packages+=(debootstrap)
if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "no apt-get here: install ${packages[*]} by hand, then run this again"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    did+=("installed ${packages[*]}")
fi

if ! docker version >/dev/null 2>&1; then
    mkdir -p "$(dirname "$log")"
    setsid dockerd --storage-driver overlay2 </dev/null >"$log" 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        docker version >/dev/null 2>&1 && break
        kill -0 "$pid" 2>/dev/null || fail "dockerd ended at once: $(tail -n 1 "$log") (whole log: $log)"
        sleep 0.2
    done
    docker version >/dev/null 2>&1 || fail "dockerd does not answer after 60 s: see $log"
    did+=("started dockerd (pid $pid, log $log)")
fi

if ! docker image inspect "$image" >/dev/null 2>&1; then
    if timeout 300 docker pull -q "$image" >/dev/null 2>&1; then
        did+=("pulled $image")
    else
        [ "$image" = python:3.11-bookworm ] || fail "cannot pull $image, and a stand-in is known for python:3.11-bookworm only"
        ./stand-in-image.sh "$image"
        did+=("built a stand-in for $image, which cannot be pulled here")
    fi
fi

summary=$(IFS=';'; echo "${did[*]:-nothing to do: engine, daemon and $image are there}")
echo "setup-docker: ${summary//;/; }"

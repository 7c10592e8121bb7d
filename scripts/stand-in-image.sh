#!/usr/bin/env bash
# Build a stand-in for python:3.11-bookworm from Debian packages, for machines that reach a Debian mirror and a package
# index but no image registry. Called by setup-docker.sh.
#
# Same as the official image where tasks can tell: Debian 12, python3.11 with pip under /usr/local/bin, git, patch, gcc,
# bash, curl. Not the same: Python is Debian's own build, and fewer -dev packages are there. The label
# agentgym.stand_in says so to whoever asks.
set -euo pipefail

image=$1
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | head -n 1)
if [ -z "$mirror" ]; then
    echo "stand-in-image: no Debian mirror among this machine's apt sources: add one, or pull $image elsewhere and" \
         "docker load it here" >&2
    exit 1
fi

packages=(
    bash ca-certificates curl diffutils file gcc git libc6-dev make patch procps python3 python3-dev python3-pip
    python3-setuptools python3-venv python3-wheel unzip util-linux xz-utils
)
if ! debootstrap --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" bookworm "$root" "$mirror" \
    >"$root.log" 2>&1; then
    echo "stand-in-image: debootstrap failed: $(tail -n 1 "$root.log") (whole log: $root.log)" >&2
    exit 1
fi
rm "$root.log"

# python and pip as the official image has them
for name in python python3 python3.11; do ln -s /usr/bin/python3.11 "$root/usr/local/bin/$name"; done
for name in pip pip3 pip3.11; do ln -s /usr/bin/pip3 "$root/usr/local/bin/$name"; done
rm -f "$root"/usr/lib/python3.*/EXTERNALLY-MANAGED

# the machine's own certificates, and its way to the package index; links to local folders lead nowhere inside
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
{
    echo "[global]"
    echo "cert = /etc/ssl/certs/ca-certificates.crt"
    for key in index-url extra-index-url trusted-host proxy; do
        value=$({ python3 -m pip config get "global.$key" || python3 -m pip config get ":env:.$key"; } 2>/dev/null || true)
        value=$(tr ' ' '\n' <<<"$value" | grep -v '^file:' | xargs || true)
        if [ -n "$value" ]; then echo "$key = $value"; fi
    done
} >"$root/etc/pip.conf"

rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/log/*

# numeric owners: the machine's user names mean nothing inside
tar --numeric-owner -C "$root" -c . | docker import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' \
    --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    --change 'CMD ["python3"]' \
    --change 'LABEL agentgym.stand_in=true' \
    - "$image" >/dev/null

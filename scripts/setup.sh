#!/bin/bash
# System packages for the namespaces backend, on Debian and Ubuntu. As root it installs what is missing; else it says so.
set -euo pipefail

missing=()
command -v bwrap > /dev/null || missing+=(bubblewrap)
command -v git > /dev/null || missing+=(git)
command -v patch > /dev/null || missing+=(patch)
[ "$(id -u)" = 0 ] || command -v newuidmap > /dev/null || missing+=(uidmap)
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ]; then
    echo "missing: ${missing[*]}; run once: sudo apt-get install ${missing[*]}" >&2
    exit 2
fi
echo "installing ${missing[*]}" >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null

#!/bin/bash
# A Chromium for the tests marked `browser`, on Debian and Ubuntu. As root it installs what is missing; else it says so.
set -euo pipefail

command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null && exit 0

packages=(chromium fonts-dejavu-core fonts-noto-core)
if [ "$(id -u)" != 0 ]; then
    echo "missing: a browser; run once: sudo apt-get install ${packages[*]}" >&2
    exit 2
fi
echo "installing ${packages[*]}" >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null

#!/bin/bash
# Play tests/golden/demo.toml once and keep the trajectory that `make demo` replays.
set -euo pipefail
cd "$(dirname "$0")/../.."
rm -f tests/golden/demo.jsonl
agentgym run tasks/repos/isodate-fraction-of-second-grows --scaffold bash --model scripted:tests/golden/demo.toml \
    --out tests/golden/demo.jsonl

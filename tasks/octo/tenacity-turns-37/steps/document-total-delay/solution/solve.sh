#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_total_delay.md <<'END'
# total_delay

`total_delay`: add up delays, no more than a limit.
END

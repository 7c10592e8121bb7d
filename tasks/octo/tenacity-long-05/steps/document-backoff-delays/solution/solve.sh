#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_backoff_delays.md <<'END'
# backoff_delays

`attempt_label`: name an attempt for a log line.

`total_delay`: add up delays, no more than a limit.

`backoff_delays`: list the delays of an exponential backoff.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_usage_percent.md <<'END'
# usage_percent

`bytes_left`: tell how many bytes of a quota are left.

`usage_percent`: tell which share of a quota is used, in whole percent.
END

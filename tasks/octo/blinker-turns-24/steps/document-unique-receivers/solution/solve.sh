#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_unique_receivers.md <<'END'
# unique_receivers

`unique_receivers`: drop receivers that were given before, keeping the order.
END

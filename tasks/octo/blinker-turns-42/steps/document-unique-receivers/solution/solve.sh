#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_unique_receivers.md <<'END'
# unique_receivers

`matches_topic`: tell whether a dotted name fits a pattern in which * is one part.

`unique_receivers`: drop receivers that were given before, keeping the order.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_signal_path.md <<'END'
# signal_path

`unique_receivers`: drop receivers that were given before, keeping the order.

`matches_topic`: tell whether a dotted name fits a pattern in which * is one part.

`signal_path`: split a dotted signal name into all of its prefixes.
END

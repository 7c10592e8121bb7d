#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_split_at.md <<'END'
# split_at

`split_at`: split a list into what is before an index and the rest.
END

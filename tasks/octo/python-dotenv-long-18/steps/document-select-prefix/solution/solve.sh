#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_select_prefix.md <<'END'
# select_prefix

`select_prefix`: keep the variables whose names begin alike, without that beginning.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_hunk_header.md <<'END'
# hunk_header

`hunk_header`: write one side of the header of a hunk.
END

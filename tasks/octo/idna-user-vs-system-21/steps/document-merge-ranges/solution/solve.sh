#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_merge_ranges.md <<'END'
# merge_ranges

`merge_ranges`: merge half-open ranges that touch or overlap.
END

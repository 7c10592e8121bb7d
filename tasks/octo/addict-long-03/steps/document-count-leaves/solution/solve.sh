#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_count_leaves.md <<'END'
# count_leaves

`count_leaves`: count the values of a nested mapping that are no mappings.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_count_in_ranges.md <<'END'
# count_in_ranges

`count_in_ranges`: count the integers in half-open ranges.
END

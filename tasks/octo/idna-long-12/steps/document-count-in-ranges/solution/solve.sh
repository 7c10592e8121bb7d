#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_count_in_ranges.md <<'END'
# count_in_ranges

`merge_ranges`: merge half-open ranges that touch or overlap.

`shift_ranges`: move half-open ranges by an offset.

`count_in_ranges`: count the integers in half-open ranges.
END

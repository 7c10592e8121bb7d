#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_count_changes.md <<'END'
# count_changes

`cumulative_max`: give the largest value so far at each place.

`middle_of`: take values from the middle of a list.

`count_changes`: count how often a value differs from the one before it.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_cumulative_max.md <<'END'
# cumulative_max

`cumulative_max`: give the largest value so far at each place.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_run_lengths.md <<'END'
# run_lengths

`split_at`: split a list into what is before an index and the rest.

`every_nth`: take every n-th value of a list.

`run_lengths`: encode a list as pairs of a value and how often it stands in a row.
END

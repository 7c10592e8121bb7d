#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_transpose_rows.md <<'END'
# transpose_rows

`transpose_rows`: make the rows of a table its columns.
END

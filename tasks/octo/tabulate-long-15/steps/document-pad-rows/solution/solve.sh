#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_pad_rows.md <<'END'
# pad_rows

`transpose_rows`: make the rows of a table its columns.

`column_widths`: tell how wide each column of a table of texts is.

`pad_rows`: make all rows as long as the longest.
END

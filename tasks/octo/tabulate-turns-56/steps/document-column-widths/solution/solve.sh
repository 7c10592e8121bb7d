#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_column_widths.md <<'END'
# column_widths

`column_widths`: tell how wide each column of a table of texts is.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_column_list.md <<'END'
# column_list

`column_list`: write names as a list of columns.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_quote_name.md <<'END'
# quote_name

`column_list`: write names as a list of columns.

`count_statements`: count the statements between semicolons.

`quote_name`: put a name in quotes, doubling those inside.
END

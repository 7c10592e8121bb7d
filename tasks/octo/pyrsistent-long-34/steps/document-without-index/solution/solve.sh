#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_without_index.md <<'END'
# without_index

`without_index`: copy a list without the value at an index.
END

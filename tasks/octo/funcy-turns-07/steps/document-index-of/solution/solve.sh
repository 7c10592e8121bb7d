#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_index_of.md <<'END'
# index_of

`index_of`: find where a value stands in a list.
END

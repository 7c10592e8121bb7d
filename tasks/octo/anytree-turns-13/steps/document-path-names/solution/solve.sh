#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_path_names.md <<'END'
# path_names

`limit_results`: cut a list of results and tell how many were left out.

`path_names`: join the names on the way to a node into one path.
END

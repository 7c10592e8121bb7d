#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_limit_results.md <<'END'
# limit_results

`common_prefix`: find the names that two paths begin with alike.

`path_names`: join the names on the way to a node into one path.

`limit_results`: cut a list of results and tell how many were left out.
END

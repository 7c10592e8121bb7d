#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_query_template.md <<'END'
# query_template

`join_paths`: join two parts of a path with one slash.

`query_template`: write a template for the query of a URI.
END

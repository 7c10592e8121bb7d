#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_query_template.md <<'END'
# query_template

`query_template`: write a template for the query of a URI.
END

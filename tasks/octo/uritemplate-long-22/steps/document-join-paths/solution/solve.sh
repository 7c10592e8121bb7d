#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_join_paths.md <<'END'
# join_paths

`query_template`: write a template for the query of a URI.

`is_template`: tell whether a URI has something to be filled in.

`join_paths`: join two parts of a path with one slash.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_parent_of.md <<'END'
# parent_of

`parent_of`: give the path that a path lies below.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_is_below.md <<'END'
# is_below

`is_below`: tell whether a path lies below another.
END

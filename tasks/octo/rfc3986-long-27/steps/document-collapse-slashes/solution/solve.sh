#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_collapse_slashes.md <<'END'
# collapse_slashes

`collapse_slashes`: make one slash of several in a row.
END

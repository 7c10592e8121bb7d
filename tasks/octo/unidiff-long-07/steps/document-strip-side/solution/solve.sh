#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_strip_side.md <<'END'
# strip_side

`hunk_header`: write one side of the header of a hunk.

`change_summary`: sum up how many lines a change adds and removes.

`strip_side`: take the a/ or b/ of a diff off a path.
END

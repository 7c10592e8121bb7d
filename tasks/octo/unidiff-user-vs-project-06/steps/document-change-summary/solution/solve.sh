#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_change_summary.md <<'END'
# change_summary

`strip_side`: take the a/ or b/ of a diff off a path.

`change_summary`: sum up how many lines a change adds and removes.
END

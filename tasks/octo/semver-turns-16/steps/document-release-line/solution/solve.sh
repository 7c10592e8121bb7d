#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_release_line.md <<'END'
# release_line

`release_line`: name the release line that a version belongs to.
END

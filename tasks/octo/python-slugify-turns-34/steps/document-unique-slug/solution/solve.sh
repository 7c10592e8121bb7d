#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_unique_slug.md <<'END'
# unique_slug

`unique_slug`: add a number to a slug that is taken already.
END

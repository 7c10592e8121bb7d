#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_drop_build.md <<'END'
# drop_build

`drop_build`: take the build metadata off a version.
END

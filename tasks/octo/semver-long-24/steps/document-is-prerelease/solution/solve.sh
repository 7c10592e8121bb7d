#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_is_prerelease.md <<'END'
# is_prerelease

`is_prerelease`: tell whether a version is one before a release.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_release_line.md <<'END'
# release_line

`is_prerelease`: tell whether a version is one before a release.

`strip_prefix`: take the prefix off a release tag.

`release_line`: name the release line that a version belongs to.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_version_tuple.md <<'END'
# version_tuple

`drop_build`: take the build metadata off a version.

`same_minor`: tell whether two versions have the same major and minor number.

`version_tuple`: read the three numbers of a version.
END

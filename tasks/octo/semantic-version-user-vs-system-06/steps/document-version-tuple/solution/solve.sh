#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_version_tuple.md <<'END'
# version_tuple

`version_tuple`: read the three numbers of a version.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_rename_keys.md <<'END'
# rename_keys

`rename_keys`: give entries of a mapping new keys.
END

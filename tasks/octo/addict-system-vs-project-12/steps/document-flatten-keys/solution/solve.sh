#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_flatten_keys.md <<'END'
# flatten_keys

`flatten_keys`: list the dotted paths of all leaves of a nested mapping.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_depth_of.md <<'END'
# depth_of

`flatten_keys`: list the dotted paths of all leaves of a nested mapping.

`depth_of`: tell how many levels a nested mapping has.
END

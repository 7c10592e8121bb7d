#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_invert_map.md <<'END'
# invert_map

`invert_map`: swap the keys and the values of a mapping.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_bytes_left.md <<'END'
# bytes_left

`bytes_left`: tell how many bytes of a quota are left.
END

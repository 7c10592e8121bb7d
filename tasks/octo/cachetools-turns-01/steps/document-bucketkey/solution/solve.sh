#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_bucketkey.md <<'END'
# bucketkey

`bucketkey`: give all numbers of one bucket the same cache key.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_bucketkey.md <<'END'
# bucketkey

`joinkey`: join the parts of a cache key, leaving out what is None.

`bucketkey`: give all numbers of one bucket the same cache key.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_joinkey.md <<'END'
# joinkey

`joinkey`: join the parts of a cache key, leaving out what is None.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_missing_keys.md <<'END'
# missing_keys

`conflicting_keys`: list the keys to which two mappings give different values.

`merge_unique`: append to a list what it does not hold yet.

`missing_keys`: list the keys that only the second mapping has.
END

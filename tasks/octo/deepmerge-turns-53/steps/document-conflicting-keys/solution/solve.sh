#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_conflicting_keys.md <<'END'
# conflicting_keys

`missing_keys`: list the keys that only the second mapping has.

`conflicting_keys`: list the keys to which two mappings give different values.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_count_values.md <<'END'
# count_values

`invert_map`: swap the keys and the values of a mapping.

`count_values`: count how often each value of a mapping occurs.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_is_wildcard.md <<'END'
# is_wildcard

`is_wildcard`: tell whether a field stands for every value.
END

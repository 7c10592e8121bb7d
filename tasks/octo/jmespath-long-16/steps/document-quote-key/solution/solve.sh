#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_quote_key.md <<'END'
# quote_key

`quote_key`: put a key in quotes where it is no plain identifier.
END

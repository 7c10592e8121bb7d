#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_dotted_keys.md <<'END'
# dotted_keys

`quote_key`: put a key in quotes where it is no plain identifier.

`type_label`: name the JSON type of a value.

`dotted_keys`: write keys as a dotted expression.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_dotted.md <<'END'
# dotted

`quote_key`: put a key in quotes where it is no plain identifier.

`type_label`: name the JSON type of a value.

`dotted`: write keys as a dotted expression.
END

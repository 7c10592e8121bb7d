#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_attribute_key.md <<'END'
# attribute_key

`attribute_key`: give the key under which an attribute is kept.
END

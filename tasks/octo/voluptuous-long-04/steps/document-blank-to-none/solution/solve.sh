#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_blank_to_none.md <<'END'
# blank_to_none

`blank_to_none`: make None of a text that holds nothing but white space.
END

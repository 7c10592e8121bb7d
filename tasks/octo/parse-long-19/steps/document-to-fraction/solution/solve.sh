#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_to_fraction.md <<'END'
# to_fraction

`to_fraction`: read a percentage such as 25% as a fraction.
END

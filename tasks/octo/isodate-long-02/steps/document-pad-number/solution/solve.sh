#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_pad_number.md <<'END'
# pad_number

`pad_number`: write a number with zeros in front.
END

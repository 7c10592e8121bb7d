#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_strip_padding.md <<'END'
# strip_padding

`strip_padding`: take the padding off the end of an encoded text.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_shorten_text.md <<'END'
# shorten_text

`shorten_text`: cut a long text and end it with dots.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_shorten.md <<'END'
# shorten

`shorten`: cut a long text and end it with dots.
END

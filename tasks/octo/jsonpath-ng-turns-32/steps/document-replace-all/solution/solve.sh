#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_replace_all.md <<'END'
# replace_all

`slice_text`: cut a piece out of a text.

`replace_all`: replace several pieces of a text one after the other.
END

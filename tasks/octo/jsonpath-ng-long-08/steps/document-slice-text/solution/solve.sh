#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_slice_text.md <<'END'
# slice_text

`replace_all`: replace several pieces of a text one after the other.

`surround_text`: put a text between two others.

`slice_text`: cut a piece out of a text.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_self_closing.md <<'END'
# self_closing

`self_closing`: write the tag of an element without children.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_middle.md <<'END'
# middle

`middle`: take values from the middle of a list.
END

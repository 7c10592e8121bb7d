#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_middle_of.md <<'END'
# middle_of

`middle_of`: take values from the middle of a list.
END

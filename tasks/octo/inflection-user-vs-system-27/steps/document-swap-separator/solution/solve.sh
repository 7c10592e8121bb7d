#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_swap_separator.md <<'END'
# swap_separator

`swap_separator`: put another separator between the parts of a word.
END

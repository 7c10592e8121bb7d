#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_clamp_value.md <<'END'
# clamp_value

`blank_to_none`: make None of a text that holds nothing but white space.

`squeeze_blanks`: make one blank of white space in a row, none at the ends.

`clamp_value`: move a number into a range.
END

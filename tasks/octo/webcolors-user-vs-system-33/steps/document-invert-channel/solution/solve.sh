#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_invert_channel.md <<'END'
# invert_channel

`invert_channel`: give the opposite of a color channel.
END

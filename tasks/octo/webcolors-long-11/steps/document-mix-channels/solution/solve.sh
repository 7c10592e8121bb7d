#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_mix_channels.md <<'END'
# mix_channels

`mix_channels`: give the channel halfway between two, rounded down.
END

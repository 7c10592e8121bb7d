#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_short_hex.md <<'END'
# short_hex

`mix_channels`: give the channel halfway between two, rounded down.

`invert_channel`: give the opposite of a color channel.

`short_hex`: shorten a hex color to three digits where that loses nothing.
END

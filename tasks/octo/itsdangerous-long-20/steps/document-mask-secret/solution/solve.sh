#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_mask_secret.md <<'END'
# mask_secret

`strip_padding`: take the padding off the end of an encoded text.

`missing_padding`: tell how many characters pad a text to full groups.

`mask_secret`: hide a secret but for its last characters.
END

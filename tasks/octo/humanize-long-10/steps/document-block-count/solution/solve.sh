#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_block_count.md <<'END'
# block_count

`bytes_left`: tell how many bytes of a quota are left.

`usage_percent`: tell which share of a quota is used, in whole percent.

`block_count`: tell how many blocks hold so many bytes.
END

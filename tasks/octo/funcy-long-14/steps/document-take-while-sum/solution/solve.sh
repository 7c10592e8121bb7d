#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_take_while_sum.md <<'END'
# take_while_sum

`take_while_sum`: take numbers from the front as long as their sum is within a limit.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_alternate_values.md <<'END'
# alternate_values

`take_while_sum`: take numbers from the front as long as their sum is within a limit.

`index_of`: find where a value stands in a list.

`alternate_values`: take values from two lists in turn until one is used up.
END

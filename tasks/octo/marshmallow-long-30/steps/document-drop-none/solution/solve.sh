#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_drop_none.md <<'END'
# drop_none

`rename_keys`: give entries of a mapping new keys.

`as_list`: put a value that is no list or tuple into a list.

`drop_none`: leave out the entries of a mapping whose value is None.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_group_ids.md <<'END'
# group_ids

`group_ids`: collect the places of documents by a field.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_group_ids.md <<'END'
# group_ids

`project_fields`: keep some fields of a document.

`next_id`: give the number after the largest one in use.

`group_ids`: collect the places of documents by a field.
END

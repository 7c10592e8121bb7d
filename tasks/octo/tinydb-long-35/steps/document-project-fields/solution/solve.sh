#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_project_fields.md <<'END'
# project_fields

`project_fields`: keep some fields of a document.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_project.md <<'END'
# project

`project`: keep some fields of a document.
END

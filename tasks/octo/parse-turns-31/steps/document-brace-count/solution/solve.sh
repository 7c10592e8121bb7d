#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_brace_count.md <<'END'
# brace_count

`brace_count`: count the opening braces of a template that are not doubled.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_escape_braces.md <<'END'
# escape_braces

`to_fraction`: read a percentage such as 25% as a fraction.

`brace_count`: count the opening braces of a template that are not doubled.

`escape_braces`: double the braces of a text so that a template keeps them.
END

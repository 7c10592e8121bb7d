#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_join_errors.md <<'END'
# join_errors

`shorten_text`: cut a long text and end it with dots.

`join_errors`: join messages, each once and without empty ones.
END

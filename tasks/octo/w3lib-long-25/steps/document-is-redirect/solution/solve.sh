#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_is_redirect.md <<'END'
# is_redirect

`is_redirect`: tell whether a status sends the client elsewhere.
END

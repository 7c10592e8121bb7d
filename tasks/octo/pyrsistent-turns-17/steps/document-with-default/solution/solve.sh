#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_with_default.md <<'END'
# with_default

`with_default`: copy a mapping, with a value for a key that it lacks.
END

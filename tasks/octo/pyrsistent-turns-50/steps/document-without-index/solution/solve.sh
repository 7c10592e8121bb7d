#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_without_index.md <<'END'
# without_index

`with_default`: copy a mapping, with a value for a key that it lacks.

`without_index`: copy a list without the value at an index.
END

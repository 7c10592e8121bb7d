#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_with_default.md <<'END'
# with_default

`without_index`: copy a list without the value at an index.

`changed_keys`: list the keys of a mapping whose values are new or different.

`with_default`: copy a mapping, with a value for a key that it lacks.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_collapse_slashes.md <<'END'
# collapse_slashes

`strip_default_port`: take the port off a host where it is the scheme's own.

`collapse_slashes`: make one slash of several in a row.
END

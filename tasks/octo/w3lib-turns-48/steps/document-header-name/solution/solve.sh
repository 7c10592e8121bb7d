#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_header_name.md <<'END'
# header_name

`header_name`: write the name of a header with capitals.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_strip_default_port.md <<'END'
# strip_default_port

`strip_default_port`: take the port off a host where it is the scheme's own.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_attempt_label.md <<'END'
# attempt_label

`attempt_label`: name an attempt for a log line.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_common_prefix.md <<'END'
# common_prefix

`common_prefix`: find the names that two paths begin with alike.
END

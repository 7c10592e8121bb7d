#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_path_names.md <<'END'
# path_names

`common_prefix`: find the names that two paths begin with alike.

`path_names`: join the names on the way to a node into one path.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_join_path.md <<'END'
# join_path

`parent_of`: give the path that a path lies below.

`is_below`: tell whether a path lies below another.

`join_path`: join segments into a path, escaping none of them.
END

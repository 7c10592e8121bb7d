#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_is_variable_name.md <<'END'
# is_variable_name

`select_prefix`: keep the variables whose names begin alike, without that beginning.

`prefix_names`: put a prefix before the names of variables.

`is_variable_name`: tell whether a name can be that of a variable.
END

#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_field_count.md <<'END'
# field_count

`is_wildcard`: tell whether a field stands for every value.

`expand_step`: list the values that a step such as */15 stands for.

`field_count`: count the fields of a cron expression.
END

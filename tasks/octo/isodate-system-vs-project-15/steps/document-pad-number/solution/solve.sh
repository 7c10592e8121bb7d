#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_pad_number.md <<'END'
# pad_number

`weeks_and_days`: split days into weeks and the days that are left.

`pad_number`: write a number with zeros in front.
END

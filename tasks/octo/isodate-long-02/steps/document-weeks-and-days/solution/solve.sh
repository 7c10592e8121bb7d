#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_weeks_and_days.md <<'END'
# weeks_and_days

`pad_number`: write a number with zeros in front.

`split_seconds`: split seconds into hours, minutes and seconds.

`weeks_and_days`: split days into weeks and the days that are left.
END

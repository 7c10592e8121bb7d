#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_is_slug.md <<'END'
# is_slug

`slug_words`: list the words of a slug.

`unique_slug`: add a number to a slug that is taken already.

`is_slug`: tell whether a text is a slug already.
END

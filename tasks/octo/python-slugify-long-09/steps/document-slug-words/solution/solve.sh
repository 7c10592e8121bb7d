#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_slug_words.md <<'END'
# slug_words

`slug_words`: list the words of a slug.
END

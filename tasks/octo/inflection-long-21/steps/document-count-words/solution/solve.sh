#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_count_words.md <<'END'
# count_words

`count_words`: count the words of a text that are longer than a length.
END

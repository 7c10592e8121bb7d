#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_initials_of.md <<'END'
# initials_of

`count_words`: count the words of a text that are longer than a length.

`swap_separator`: put another separator between the parts of a word.

`initials_of`: give the first letters of the words of a text in upper case.
END

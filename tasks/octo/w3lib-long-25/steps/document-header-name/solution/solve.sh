#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_header_name.md <<'END'
# header_name

`is_redirect`: tell whether a status sends the client elsewhere.

`media_type`: give a content type without its parameters.

`header_name`: write the name of a header with capitals.
END

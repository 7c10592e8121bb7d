#!/bin/bash
set -e
mkdir -p docs
cat > docs/on_split_attributes.md <<'END'
# split_attributes

`attribute_key`: give the key under which an attribute is kept.

`self_closing`: write the tag of an element without children.

`split_attributes`: part the attributes of an element from its children.
END

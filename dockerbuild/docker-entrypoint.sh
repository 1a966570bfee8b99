#!/bin/sh
# Fills the content folder, an empty volume, with what the image brings (themes),
# keeps what is there already, and becomes the command. Not --no-clobber: in some
# versions of cp it fails for what it keeps, which would stop a restarted container.
set -eu
content="${paths__contentPath:-/var/lib/ghost/content}"
cp -R --update=none --no-preserve=ownership /var/lib/ghost/content.orig/. "$content/"
exec "$@"

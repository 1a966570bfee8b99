#!/bin/sh
# Fills the content folder, an empty volume, with what the image brings (themes),
# keeps what is there already, and becomes the command.
set -eu
content="${paths__contentPath:-/var/lib/ghost/content}"
cp -R --no-clobber --no-preserve=ownership /var/lib/ghost/content.orig/. "$content/"
exec "$@"

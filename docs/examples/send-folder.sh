#!/bin/sh
# send-folder.sh FOLDER SOURCE: sends all files below a folder in one request. Prints a line
# for each, its receipt or its problem, and last how many were taken; ends with 1 unless all.
set -eu
tar -C "$1" -cf - . |
  curl -sS --fail-with-body -X POST -H @/dev/fd/3 -T - "$TRIBUTARY_URL/v1/bundles/$2" 3<<END |
Authorization: Bearer $TRIBUTARY_KEY
END
  awk '{ print } END { exit !(/"complete":true/ && /"refused":0/) }'

#!/bin/sh
# send.sh FILE SOURCE/PATH: sends one file, prints the answer with its receipt.
# The path is percent-encoded.
set -eu
digest=$(openssl dgst -sha256 -binary "$1" | openssl base64)
id=$(openssl rand -hex 16) # the same for every retry: nothing arrives twice
printf 'Authorization: Bearer %s\n' "$TRIBUTARY_KEY" |
  curl -sS --fail-with-body --retry 5 --retry-connrefused -H @- \
    -H "Idempotency-Key: $id" -H "Repr-Digest: sha-256=:$digest:" \
    -T "$1" "$TRIBUTARY_URL/v1/files/$2"

#!/bin/sh
# send-large.sh FILE SOURCE PATH: sends a file of any size in parts, prints the answer with its
# receipt. After a break run it again: it goes on with the parts that are missing.
set -eu
call() {
  printf 'Authorization: Bearer %s\n' "$TRIBUTARY_KEY" > "$work/key"
  curl -sS --fail-with-body --retry 5 --retry-connrefused -H @"$work/key" "$@"
}
member() { printf %s "$upload" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sha256=$(openssl dgst -sha256 -r "$1" | cut -d' ' -f1)
id="$sha256-$(date -r "$1" +%s)" # this content at this time: the same again when it is run again
upload=$(call "$TRIBUTARY_URL/v1/uploads" -d "{\"source\":\"$2\",\"pathEncoded\":\"$3\",\"captureId\":\"$id\",
  \"size\":$(($(wc -c < "$1"))),\"sha256\":\"$sha256\"}")
upload_id=$(member uploadId)
if [ -z "$upload_id" ]; then # it is there already: this is the receipt
  echo "$upload"
  exit
fi
size=$(member partSize) count=$(member partCount) number=1
while [ "$number" -le "$count" ]; do
  case $upload in
    *"\"number\":$number,"*) ;; # arrived before the break
    *)
      tail -c +"$(((number - 1) * size + 1))" "$1" | head -c "$size" > "$work/part"
      digest=$(openssl dgst -sha256 -binary "$work/part" | openssl base64)
      call -H "Content-Digest: sha-256=:$digest:" -T "$work/part" -o "$work/answer" \
        "$TRIBUTARY_URL/v1/uploads/$upload_id/parts/$number" || { cat "$work/answer" >&2; exit 1; }
      ;;
  esac
  number=$((number + 1))
done
call -X POST "$TRIBUTARY_URL/v1/uploads/$upload_id/complete"

/** For Linux: the script that installs and enrols, and the line that fetches, checks and runs it. */
import type { Line } from "./line.ts";
import { anyVersionOf, FORMS, type Offer } from "./packages.ts";

export const LINUX_SCRIPT = "linux.sh";

/** Words of a POSIX shell; the programs of a bare Debian, a bare RHEL, and BusyBox. */
export function linuxScript(offers: readonly Offer[]): string {
  const cases = FORMS.filter(({ system }) => system === "linux").map((form) => {
    const offer = offers.find((one) => one.form === form);
    const then =
      offer === undefined
        ? `fail "this host needs ${anyVersionOf(form)}, which the receiver does not have; tell its operator. Nothing was installed"`
        : `file=${offer.name} size=${offer.size} sha256=${offer.sha256}`;
    return `    ${form.kind}-${form.arch}) ${then} ;;`;
  });
  return SCRIPT.replace("    CASES", () => cases.join("\n"));
}

/**
 * The code goes to standard input, so that it stands in no list of processes; `echo` is a word of the shell itself.
 * Without `-k` a receiver with an authority of its own could not be asked at all: our pin is the authority's digest,
 * which neither curl nor wget can be told (--pinnedpubkey wants the key of the certificate itself, and that one is
 * renewed). It is safe because nothing is believed before its SHA-256 is as it stands here, and nothing secret is
 * sent: the code leaves only after the agent has compared the pin in it.
 * `$( )` drops the newline at the end and printf puts it back, so what is hashed is what is run. Further words may be
 * added at the end, so the refusal takes the script's place instead of standing behind.
 */
export function linuxLine({ url, pinned, sha256, code }: Line): string {
  const [curl, wget, words] = pinned
    ? ["curl -fsSk", "wget -qO- --no-check-certificate", " -k"]
    : ["curl -fsS", "wget -qO-", ""];
  return [
    `u='${url.replaceAll("'", "%27")}'`,
    `s=$(if command -v curl>/dev/null;then ${curl} "$u/${LINUX_SCRIPT}";else ${wget} "$u/${LINUX_SCRIPT}";fi)`,
    `[ "$(printf '%s\\n' "$s"|sha256sum)" = "${sha256}  -" ]||s='echo "tributary: nothing was run: $1/${LINUX_SCRIPT} is not what this line was made for. If it can be reached, the packages were renewed since this invitation: ask for a new line">&2;exit 1'`,
    `echo ${code}|sh -c "$s" tributary "$u"${words}`,
  ].join(";");
}

const SCRIPT = String.raw`#!/bin/sh
# Installs the Tributary agent on Linux: fetches the package for this host from the receiver, and runs nothing of it
# before its SHA-256 is as it stands here. The receiver made this from its packages; the line of the invitation has
# compared the SHA-256 of this text before it ran it.
#
#   echo CODE | sh linux.sh https://RECEIVER/install [-k] [WORDS]
#
# WORDS go to: tributary-agent service install (such as --folder /data/exports --name exports).
# -k: the receiver's certificate is its own, which curl and wget cannot check. The SHA-256 protects, not the certificate.
set -u

fail() {
  echo "tributary: $*" >&2
  exit 1
}

root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# URL FILE
fetch() {
  if command -v curl > /dev/null; then curl -fsS --retry 5 $curl_k -o "$2" "$1"
  elif command -v wget > /dev/null; then wget -q $wget_k -O "$2" "$1"
  else fail "neither curl nor wget is here: install one of them and run the same line again"
  fi
}

pick() {
  [ "$(uname -s)" = Linux ] || fail "this line is for Linux, and this is $(uname -s): ask for the line of that system"
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "there are packages for x86_64 and aarch64, and this host is $(uname -m). Nothing was installed" ;;
  esac
  if command -v dpkg > /dev/null; then kind=deb
  elif command -v rpm > /dev/null; then kind=rpm
  else kind=tar.gz
  fi
  case $kind-$arch in
    CASES
  esac
}

check() {
  came=$(wc -c < "$1")
  [ "$came" -eq "$size" ] && [ "$(sha256sum < "$1")" = "$sha256  -" ] && return
  fail "$url/$file is not what this line was made for ($((came)) bytes came, $size were expected). Run the line again; if it fails again, the packages were renewed since this invitation: ask for a new line. Nothing was installed"
}

# FILE, of a .deb or .rpm. What is not there yet comes from the system's own sources, where its tools can fetch it.
install_package() {
  if [ $kind = deb ]; then
    if command -v apt-get > /dev/null; then root env DEBIAN_FRONTEND=noninteractive apt-get install -y "$1"
    else root dpkg -i "$1"
    fi
  elif rpm -q "$(basename "$1" .rpm)" > /dev/null 2>&1; then echo "tributary: $file is installed already" >&2
  elif command -v dnf > /dev/null; then root dnf install -y "$1"
  elif command -v yum > /dev/null; then root yum install -y "$1"
  elif command -v zypper > /dev/null; then root zypper --non-interactive --no-gpg-checks install "$1"
  else root rpm -U "$1"
  fi
}

main() {
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || fail "only root may install a service, and there is no sudo here: become root (su -) and run the same line again"
    sudo -v || fail "only root may install a service, and sudo refused: run the same line as root. Nothing was installed"
  fi
  [ "$#" -gt 0 ] || fail "the address is missing: copy the whole line of the invitation"
  url=$1
  shift
  curl_k='' wget_k=''
  if [ "$#" -gt 0 ] && [ "$1" = -k ]; then
    curl_k=-k wget_k=--no-check-certificate
    shift
  fi
  IFS= read -r code || code=''
  case $code in
    trb1_*) ;;
    *) fail "the code is missing: copy the whole line of the invitation" ;;
  esac
  pick
  folder=$(mktemp -d) || fail "no temporary folder can be made: make room, or name another place in TMPDIR"
  trap 'rm -rf "$folder"' EXIT
  trap 'exit 1' HUP INT TERM
  chmod 0700 "$folder"
  fetch "$url/$file" "$folder/$file" < /dev/null || fail "$url/$file cannot be fetched (see above). Nothing was installed"
  check "$folder/$file"
  if [ $kind = tar.gz ]; then
    tar -xzf "$folder/$file" -C "$folder" < /dev/null || fail "$file cannot be unpacked in $folder (see above). Nothing was installed"
    echo "$code" | root sh "$folder/$(basename "$file" .tar.gz)/install.sh" --code - "$@"
  else
    install_package "$folder/$file" < /dev/null || fail "$file was not installed (see above). The code is still good: mend that and run the same line again"
    echo "$code" | root tributary-agent service install --code - "$@"
  fi
}

main "$@"
`;

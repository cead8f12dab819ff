#!/bin/sh
# Installs the agent on a Linux with systemd that takes neither .deb nor .rpm. Run it as root, in the unpacked folder:
#
#   ./install.sh [--code CODE] [--folder PATH] [--name SOURCE]
#
# What it is given goes to `tributary-agent service install`, which says what it did. Again, with a newer version, it
# upgrades: key, queue and settings stay. To take it away: tributary-agent service uninstall [--purge]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" != 0 ]; then
  echo "install.sh: only root may install a service: put sudo before the command" >&2
  exit 2
fi
if ! (cd "$here" && sha256sum --check --quiet SHA256SUMS) >&2; then
  echo "install.sh: a file in $here is not what was packed; unpack or download the archive again" >&2
  exit 1
fi
exec "$here/tributary-agent" service install "$@"

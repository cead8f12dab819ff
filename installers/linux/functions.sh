# What the scripts of .deb and .rpm have in common: account, folders, service.
# An account and folders that are there already stay as they are.
make_account() {
  getent passwd NAME > /dev/null ||
    useradd --system --user-group --no-create-home --home-dir /var/lib/NAME --shell /usr/sbin/nologin NAME
  [ -d /var/lib/NAME ] || install -d -o NAME -g NAME -m STATE_MODE /var/lib/NAME
  [ -d /etc/NAME ] || install -d -o root -g NAME -m 2750 /etc/NAME
}

# Not in an image that is being built, and not where another service manager runs.
reload_systemd() {
  if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
}

# The new program at once. The unit's condition keeps it from starting before it is set up.
start_service() {
  reload_systemd
  if [ -d /run/systemd/system ] && systemctl is-enabled --quiet NAME.service; then
    systemctl restart NAME.service || true
  fi
}

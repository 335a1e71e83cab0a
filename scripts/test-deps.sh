#!/usr/bin/env bash
# Installs what the end-to-end tests use beside Go: mosquitto, sshd, snmptrapd with
# its tools, Chromium, and the real Zigbee2MQTT in a cache directory. Says what it
# does; quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

lock_dir=test/zigbee2mqtt
version=$(sed -n 's/.*"zigbee2mqtt": "\([^"]*\)".*/\1/p' "$lock_dir/package.json")
node_wanted=20

say() { printf 'test-deps: %s\n' "$*"; }
fail() {
  printf 'test-deps: %s\n' "$*" >&2
  exit 1
}
# Servers live in sbin, which is not in everybody's PATH.
has() { PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/opt/homebrew/sbin command -v "$1" >/dev/null; }

cache_root() {
  if [ -n "${Z2MHA_CACHE:-}" ]; then
    echo "$Z2MHA_CACHE"
  elif [ -n "${XDG_CACHE_HOME:-}" ]; then
    echo "$XDG_CACHE_HOME/z2mha"
  elif [ -n "${HOME:-}" ]; then
    echo "$HOME/.cache/z2mha"
  else
    fail "neither Z2MHA_CACHE, XDG_CACHE_HOME nor HOME is set; set Z2MHA_CACHE to a directory for Zigbee2MQTT (about 90 MB)"
  fi
}

by_hand() {
  cat >&2 <<TXT
test-deps: this system has no apt-get that can be used here. Please install by hand, then run this again:
  mosquitto, the OpenSSH server (sshd), snmptrapd, snmptranslate, smilint, Chromium, apparmor_parser, shellcheck, busybox, and Node.js $node_wanted or newer with npm
    Debian, Ubuntu  sudo apt-get install mosquitto openssh-server snmptrapd snmp smitools chromium apparmor shellcheck busybox-static nodejs npm
    Alpine          apk add mosquitto openssh-server net-snmp net-snmp-tools libsmi chromium apparmor shellcheck nodejs npm
    Fedora          sudo dnf install mosquitto openssh-server net-snmp net-snmp-utils libsmi chromium ShellCheck busybox nodejs npm
    macOS           brew install mosquitto net-snmp libsmi node     (sshd is part of the system; Chromium by hand)
  None of them needs to run as a service: the tests start their own, on loopback.
TXT
  exit 1
}

# as_root runs a command with root's rights, without asking for a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
  has apt-get && { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }
}

# hold_services keeps Debian's packages from starting their services, unless the
# machine has a rule for that already.
policy=/usr/sbin/policy-rc.d
hold_services() {
  [ -e "$policy" ] && return
  trap 'as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

release_services() {
  [ "$(trap -p EXIT)" = '' ] || { as_root rm -f "$policy"; trap - EXIT; }
}

# What is wanted: the program that shows it is there, its Debian package, and the
# service that the package would start.
wanted='mosquitto mosquitto mosquitto.service
sshd openssh-server ssh.service
snmptrapd snmptrapd snmptrapd.service
snmptranslate snmp -
smilint smitools -
chromium chromium -
apparmor_parser apparmor -
shellcheck shellcheck -
busybox busybox-static -'

# install_packages installs what is missing and leaves it switched off.
install_packages() {
  local packages=() units=() program package unit
  while read -r program package unit; do
    has "$program" && continue
    packages+=("$package")
    [ "$unit" = - ] || units+=("$unit")
  done <<<"$wanted"
  if [ ${#packages[@]} -gt 0 ]; then
    can_install || by_hand
    say "installing Debian packages: ${packages[*]} (not started, not enabled at boot)"
    hold_services
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    release_services
    if has systemctl && [ ${#units[@]} -gt 0 ]; then as_root systemctl disable "${units[@]}" >/dev/null 2>&1 || true; fi
  fi
  # Root's sshd wants this directory, which a service start would have made.
  if [ "$(uname)" = Linux ] && [ ! -d /run/sshd ] && { [ "$(id -u)" = 0 ] || can_install; }; then
    as_root install -d -m 755 /run/sshd
  fi
  while read -r program package unit; do
    has "$program" || fail "$program is still missing; look at what apt-get said above"
  done <<<"$wanted"
  say "mosquitto, sshd, snmptrapd, smilint, Chromium, apparmor_parser, shellcheck and busybox are there"
}

check_node() {
  has node && has npm || fail "Node.js $node_wanted or newer with npm is missing; install the packages nodejs and npm (or a newer release of Node.js where those are older)"
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge "$node_wanted" ] || fail "Node.js $(node --version) is too old; Zigbee2MQTT $version needs $node_wanted or newer"
}

# install_zigbee2mqtt puts the pinned version in place in one act, so that an
# interrupted installation is never taken for a whole one.
install_zigbee2mqtt() {
  local root target temp
  root=$(cache_root)
  target=$root/zigbee2mqtt-$version
  if [ -e "$target/package-lock.json" ] && cmp -s "$lock_dir/package-lock.json" "$target/package-lock.json"; then
    say "Zigbee2MQTT $version is in $target"
    return
  fi
  say "installing npm package zigbee2mqtt@$version into $target (about 90 MB)"
  mkdir -p "$root"
  temp=$(mktemp -d "$root/.install-XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$temp'" EXIT
  cp "$lock_dir/package.json" "$lock_dir/package-lock.json" "$temp/"
  # No install script is run: what needs one is optional or comes built.
  (cd "$temp" && npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error)
  (cd "$temp" && node -e 'require("@serialport/bindings-cpp"); require.resolve("zigbee2mqtt/index.js")') ||
    fail "Zigbee2MQTT was installed but its serial port module does not load on this system"
  rm -rf "$target"
  mv "$temp" "$target"
  chmod 755 "$target"
  trap - EXIT
  say "Zigbee2MQTT $version is in $target"
}

install_packages
check_node
install_zigbee2mqtt
scripts/test-deps-openrc.sh

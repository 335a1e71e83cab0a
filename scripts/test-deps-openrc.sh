#!/usr/bin/env bash
# Unpacks Debian's OpenRC into the cache directory, for the test that runs it in a root of
# its own. Nothing is installed: the machine keeps its init. Quick when all is there; where
# there is no apt-get the test is skipped.
set -euo pipefail

packages=(openrc libeinfo1 librc1)

say() { printf 'test-deps: %s\n' "$*"; }
fail() {
  printf 'test-deps: %s\n' "$*" >&2
  exit 1
}

if [ -n "${Z2MHA_CACHE:-}" ]; then
  root=$Z2MHA_CACHE
elif [ -n "${XDG_CACHE_HOME:-}" ]; then
  root=$XDG_CACHE_HOME/z2mha
elif [ -n "${HOME:-}" ]; then
  root=$HOME/.cache/z2mha
else
  fail "neither Z2MHA_CACHE, XDG_CACHE_HOME nor HOME is set; set Z2MHA_CACHE to a directory"
fi
target=$root/openrc

if [ -x "$target/usr/sbin/rc-service" ]; then
  say "OpenRC is in $target"
  exit
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  say "no apt-get here: the test with OpenRC will be skipped"
  exit
fi

say "unpacking Debian packages ${packages[*]} into $target (not installed)"
mkdir -p "$root"
temp=$(mktemp -d "$root/.openrc-XXXXXX")
trap 'rm -rf "$temp"' EXIT
# Root's downloads are made by another user, who must be able to get here; if not, apt
# says so and goes on.
(cd "$temp" && apt-get download -qq "${packages[@]}" 2>apt.log) || {
  cat "$temp/apt.log" >&2
  fail "apt-get could not download ${packages[*]}; run apt-get update and try again"
}
for deb in "$temp"/*.deb; do dpkg -x "$deb" "$temp/x"; done

# Everything goes below usr, whether or not this release has merged it already.
mkdir -p "$temp/tree/usr"
cp -a "$temp/x/usr/." "$temp/tree/usr/"
for dir in bin sbin lib; do
  if [ -d "$temp/x/$dir" ]; then cp -a "$temp/x/$dir" "$temp/tree/usr/"; fi
done
cp -a "$temp/x/etc" "$temp/tree/etc"
[ -x "$temp/tree/usr/sbin/rc-service" ] || fail "the packages hold no rc-service; OpenRC has changed its places"
rm -rf "$target"
mv "$temp/tree" "$target"
chmod 755 "$target"
say "OpenRC is in $target"

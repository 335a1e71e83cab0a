#!/usr/bin/env bash
# Fetches what the page takes from elsewhere: HTMX, at the version and with the hash
# of web/vendor/package-lock.json. Without npm the build works too, and the page then
# shows without being able to act.
set -euo pipefail
cd "$(dirname "$0")/.."

out=web/assets/htmx.min.js
version=$(sed -n 's/.*"htmx.org": "\(.*\)".*/\1/p' web/vendor/package.json)

if [ -f "$out" ] && grep -qF "version:\"$version\"" "$out"; then
  exit 0
fi
if ! command -v npm >/dev/null; then
  echo "fetch-assets: npm is missing, so the page will be read-only; install npm and run this again" >&2
  [ "${CI:-}" != true ]
  exit
fi

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
cp web/vendor/package.json web/vendor/package-lock.json "$temp"
if ! npm ci --prefix "$temp" --ignore-scripts --no-audit --no-fund --silent; then
  echo "fetch-assets: npm could not fetch htmx.org $version, so the page will be read-only; try again with a connection to the registry" >&2
  [ "${CI:-}" != true ]
  exit
fi
cp "$temp/node_modules/htmx.org/dist/htmx.min.js" "$out.new"
mv "$out.new" "$out"
printf 'htmx.org %s: %d bytes\n' "$version" "$(wc -c <"$out")"

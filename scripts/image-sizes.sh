#!/usr/bin/env bash
# Prints the size of z2mha, and of what the add-on's image adds to its base, built and put
# together as the Dockerfile does. Usage: image-sizes.sh [ARCH…]
set -euo pipefail

megabytes() { awk -v n="$1" 'BEGIN { printf "%.1f", n / 1e6 }'; }

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
for arch in "${@:-amd64}"; do
  rm -rf "${tree:?}"/*
  cp -r rootfs/. "$tree"
  install -d "$tree/usr/bin"
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$tree/usr/bin/z2mha" ./cmd/z2mha
  binary=$(stat -c %s "$tree/usr/bin/z2mha")
  packed=$(gzip -c "$tree/usr/bin/z2mha" | wc -c)
  files=$(find "$tree" -type f | wc -l)
  all=$(find "$tree" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
  printf '%-6s z2mha %s MB (gzip %s MB), image tree %s MB in %d files\n' "$arch" \
    "$(megabytes "$binary")" "$(megabytes "$packed")" "$(megabytes "$all")" "$files"
done

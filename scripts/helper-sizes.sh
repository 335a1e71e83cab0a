#!/usr/bin/env bash
# Prints the size of each embedded znp-helper; fails above the limit.
set -euo pipefail
limit=5000000
status=0
for gz in "$@"; do
  size=$(gunzip -c "$gz" | wc -c)
  printf '%s: %d bytes, %d packed (at most %d)\n' "$(basename "$gz" .gz)" "$size" "$(wc -c <"$gz")" "$limit"
  [ "$size" -le "$limit" ] || status=1
done
exit $status

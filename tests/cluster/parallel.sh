#!/bin/sh
# Runs lib/cli/cluster/parallel.sh on the embedded model and compares its report with that of one scan. Skipped,
# with a line that says so, where GNU parallel is not installed (Debian: apt-get install parallel).
set -eu
cd "$(dirname "$0")/../.."
command -v parallel >/dev/null || { echo "GNU parallel is not installed: its test is skipped."; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SCAN="--length 64 --screen-tokens 3000 --tokens 3000 --examine 4"
MODEL=tiny-gelu-4l OUT="$work/shards" SHARDS=4 JOBS=2 SCAN="$SCAN" sh lib/cli/cluster/parallel.sh --joblog "$work/log" >"$work/said" 2>&1 ||
  { cat "$work/said"; exit 1; }
# shellcheck disable=SC2086
deno task scan tiny-gelu-4l $SCAN --out "$work/whole" >/dev/null 2>&1
cmp "$work/whole/report.json" "$work/shards/report.json"
echo "GNU parallel: the report of 4 shards is that of one scan."

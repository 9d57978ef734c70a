#!/bin/sh
# A scan in SHARDS processes, JOBS at a time, on one machine or (with --sshlogin) several: GNU parallel.
#
#   MODEL=model OUT=scan SHARDS=8 JOBS=2 SCAN="--prompts texts.jsonl" sh lib/cli/cluster/parallel.sh
#
# A second run of the same command does only what is left.
set -eu
: "${MODEL:?a folder or a Hugging Face name}" "${OUT:?a folder}" "${SHARDS:?how many}"
for pass in 1 2 3; do
  # shellcheck disable=SC2086 # SCAN holds several options
  seq 0 $((SHARDS - 1)) | parallel --jobs "${JOBS:-2}" --retries 2 --halt soon,fail=1 --quote "$@" \
    deno task scan "$MODEL" ${SCAN-} --out "$OUT" --shard "{}/$SHARDS"
  deno task scan merge "$OUT"
done

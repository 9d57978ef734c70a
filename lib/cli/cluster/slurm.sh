#!/bin/sh
# Submits a scan to SLURM: three passes, each an array of shards and then a merge, each after the one before.
#
#   MODEL=/scratch/me/model OUT=/scratch/me/scan SHARDS=64 \
#     SCAN="--prompts /scratch/me/texts.jsonl --length 1024 --max-tokens 100000000 --screen-tokens 1000000 --tokens 50000000" \
#     sh lib/cli/cluster/slurm.sh [--partition=NAME and other options of sbatch]
#
# MODEL, OUT and the prompts have to be the same paths on every node. What failed is submitted again by the same
# command: what is done is not measured again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${MODEL:?a folder or a Hugging Face name}" "${OUT:?a folder that all nodes see}" "${SHARDS:?how many}"
PROJECT=$(cd "$here/../../.." && pwd)
export MODEL OUT SHARDS PROJECT SCAN="${SCAN-}"
after=
for pass in 1 2 3; do
  # shellcheck disable=SC2086 # $after is nothing or one option
  shards=$(sbatch --parsable --export=ALL $after --array=0-$((SHARDS - 1)) "$@" "$here/shard.sh")
  merge=$(sbatch --parsable --export=ALL --dependency=afterok:"$shards" --kill-on-invalid-dep=yes "$@" "$here/merge.sh")
  after="--dependency=afterok:$merge --kill-on-invalid-dep=yes"
  echo "pass $pass: array $shards, merge $merge"
done

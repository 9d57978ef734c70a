#!/bin/sh
# One shard of a scan, as a task of a SLURM array; slurm.sh submits it. MODEL, OUT and SCAN come from there.
#SBATCH --job-name=cleanup-lens-shard
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=08:00:00
#SBATCH --open-mode=append
# Two minutes before the time is up: what was measured is saved, and the same array goes on from there.
#SBATCH --signal=TERM@120
set -eu
cd "$PROJECT"
# exec: the signal reaches the scan itself.
# shellcheck disable=SC2086 # SCAN holds several options
exec deno task scan "$MODEL" $SCAN --out "$OUT" --shard "$SLURM_ARRAY_TASK_ID/$SHARDS"

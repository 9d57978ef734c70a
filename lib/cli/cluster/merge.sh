#!/bin/sh
# Adds up what all shards have measured of a pass; slurm.sh submits it after each array.
#SBATCH --job-name=cleanup-lens-merge
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=01:00:00
set -eu
cd "$PROJECT"
exec deno task scan merge "$OUT"

#!/bin/sh
# Runs lib/cli/cluster/slurm.sh with a slurmctld and a slurmd of its own on this machine, on the embedded model, and
# compares the report with that of one scan; one shard is cancelled on its way and submitted again. Skipped, with a
# line that says so, without SLURM or without root, whom slurmd wants.
#   Debian: apt-get install --no-install-recommends slurm-wlm munge
set -eu
cd "$(dirname "$0")/../.."
for program in slurmctld slurmd sbatch munged; do
  PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { echo "SLURM is not installed ($program): its test is skipped."; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "slurmd needs root: the test with SLURM is skipped."; exit 0; }
if pgrep -x slurmctld >/dev/null || pgrep -x slurmd >/dev/null; then
  echo "A SLURM runs on this machine already: the test with one of its own is skipped."
  exit 0
fi
PATH=$PATH:/usr/sbin
work=$(mktemp -d)
chmod 755 "$work"
started=
stop() {
  for pid in $started; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap stop EXIT

# Daemons stay in the foreground, so that they can be ended by their own ids.
mkdir -p "$work/state" "$work/spool" "$work/munge" "$work/logs"
chown munge "$work/munge"
chmod 700 "$work/munge"
head -c 1024 /dev/urandom >"$work/munge/key"
chown munge "$work/munge/key"
chmod 400 "$work/munge/key"
runuser -u munge -- mkdir -m 755 "$work/munge/run"
chmod 711 "$work/munge"
runuser -u munge -- munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/run/socket" \
  --pid-file="$work/munge/run/pid" --seed-file="$work/munge/run/seed" --log-file="$work/munge/run/log" >/dev/null 2>&1 &
started="$!"
host=$(hostname -s)
cat >"$work/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$work/munge/run/socket
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=1000,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=30
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$work/slurm.conf"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ -S "$work/munge/run/socket" ] && break
  sleep 0.5
done
slurmctld -D -f "$SLURM_CONF" >"$work/slurmctld.log" 2>&1 &
started="$started $!"
slurmd -D -f "$SLURM_CONF" -N "$host" >"$work/slurmd.log" 2>&1 &
started="$started $!"
up=
for _ in $(seq 60); do
  sinfo -h -o %T 2>/dev/null | grep -q idle && up=1 && break
  sleep 0.5
done
[ -n "$up" ] || { tail "$work/slurmctld.log" "$work/slurmd.log" "$work/munge/run/log"; exit 1; }

SCAN="--length 64 --screen-tokens 3000 --tokens 3000 --examine 4"
export MODEL=tiny-gelu-4l OUT="$work/shards" SHARDS=4 SCAN
one_cpu="--cpus-per-task=1 --mem=0 --output=$work/logs/%x-%A-%a.log"
until_empty() {
  for _ in $(seq 600); do
    [ -z "$(squeue -h)" ] && return 0
    sleep 0.5
  done
  squeue
  return 1
}
# shellcheck disable=SC2086
sh lib/cli/cluster/slurm.sh $one_cpu >"$work/submitted"
cat "$work/submitted"
# The second shard is told to end when it runs (SIGTERM); what depends on the array is then cancelled.
array=$(sed -n 's/^pass 1: array \([0-9]*\),.*/\1/p' "$work/submitted")
for _ in $(seq 120); do
  squeue -h -t R -j "${array}_1" 2>/dev/null | grep -q . && break
  sleep 0.2
done
sleep 1
scancel --signal=TERM --full "${array}_1" 2>/dev/null || true
until_empty
# The same command again: what was done is not measured again.
if [ ! -e "$OUT/report.json" ]; then
  # shellcheck disable=SC2086
  sh lib/cli/cluster/slurm.sh $one_cpu
  until_empty
fi
[ -e "$OUT/report.json" ] || { tail -n 5 "$work"/logs/*.log; exit 1; }
# shellcheck disable=SC2086
deno task scan tiny-gelu-4l $SCAN --out "$work/whole" >/dev/null 2>&1
cmp "$work/whole/report.json" "$OUT/report.json"
echo "SLURM: the report of 4 shards is that of one scan."

#!/usr/bin/env bash
# A Slurm of one node on this machine, for trying job scripts: no systemd, no cgroups, everything in one folder.
#
#     sudo scripts/slurm/local_cluster.sh up       installs slurm-wlm and munge where they are missing (Debian), starts them
#     export SLURM_CONF=$(scripts/slurm/local_cluster.sh conf)
#     sudo scripts/slurm/local_cluster.sh down     stops what `up` started
set -euo pipefail

folder=${SALTFLAT_SLURM:-${TMPDIR:-/tmp}/saltflat-slurm}
conf=$folder/slurm.conf
host=$(hostname -s)

alive() { [ -f "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null; }

up() {
    [ "$(id -u)" = 0 ] || { echo "needs root: Slurm starts jobs as their users" >&2; exit 1; }
    if ! { command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged; } >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            slurmctld slurmd slurm-client munge >/dev/null
    fi
    mkdir -p "$folder"/{state,spool,munge}
    chmod 755 "$folder"
    if [ ! -f "$folder/munge/key" ]; then
        dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 status=none
    fi
    chmod 700 "$folder/munge"
    chmod 400 "$folder/munge/key"
    cat >"$conf" <<CONF
ClusterName=saltflat
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
JobRequeue=1
KillWait=10
MinJobAge=3600
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=1000 State=UNKNOWN
PartitionName=local Nodes=$host Default=YES MaxTime=INFINITE State=UP OverTimeLimit=0
CONF
    alive munged || munged --force --key-file="$folder/munge/key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munge/munged.log" --seed-file="$folder/munge/seed"
    export SLURM_CONF=$conf
    alive slurmctld || slurmctld -f "$conf"
    alive slurmd || slurmd -f "$conf" -N "$host"
    for _ in $(seq 60); do
        if sinfo --noheader --format=%T 2>/dev/null | grep -qE 'idle|mixed|allocated'; then
            sinfo
            return
        fi
        sleep 0.5
    done
    echo "the node did not come up:" >&2
    tail -n 20 "$folder"/slurmctld.log "$folder"/slurmd.log >&2
    exit 1
}

down() {
    for daemon in slurmd slurmctld munged; do
        if alive "$daemon"; then
            kill "$(cat "$folder/$daemon.pid")"
            echo "$daemon stopped"
        fi
    done
}

case ${1:-} in
    up) up ;;
    down) down ;;
    status) SLURM_CONF=$conf sinfo && SLURM_CONF=$conf squeue ;;
    conf) echo "$conf" ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

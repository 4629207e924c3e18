#!/usr/bin/env bash
# A study on a Slurm of this machine: brings it up, submits, kills a task's process, lets others run into their time limit, and
# shows that the study finishes with the same files as without Slurm. Needs root and some ten minutes. What it printed once is
# docs/slurm-demo.log.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${SALTFLAT:-target/release/saltflat}
[ -x "$program" ] || cargo build --release
# A place and a name that a shell would take apart.
out="$(mktemp -d)/it's a demo"
# What is printed names neither this machine nor its folders.
anywhere() { sed -e "s|${out//\'/\'\\\\\'\'}|OUT|g" -e "s|$out|OUT|g" -e "s|$program|saltflat|g" -e "s|\b$(hostname -s)\b|localhost|g"; }
scripts/slurm/local_cluster.sh up >"$out.cluster"
anywhere <"$out.cluster"
SLURM_CONF=$(scripts/slurm/local_cluster.sh conf)
export SLURM_CONF
trap 'scripts/slurm/local_cluster.sh down' EXIT
started=$(date +%s)
say() { printf '\n[%4d s] %s\n' $(($(date +%s) - started)) "$*"; }

# One core a task, with Slurm and without.
export RAYON_NUM_THREADS=1

say "the job scripts"
"$program" study scripts/slurm/demo.toml --out "$out" --devices cpu --emit slurm | anywhere

say "submitted, a minute a task, a signal half a minute before"
bash "$out/slurm/submit.sh" --cpus-per-task=1 --mem=400 --time=1 --signal=B:USR1@30

killed=
seen=
while squeue --noheader | grep -q .; do
    if [ -z "$killed" ] && pid=$(pgrep -f "saltflat.* train .*escape[-/]none_s1" | head -n 1) && [ -n "$pid" ]; then
        sleep 4
        # It may have been saved and put back meanwhile.
        kill -9 "$pid" 2>/dev/null && killed=1 && say "kill -9 of the run escape/none_s1"
    fi
    now=$(squeue --noheader --format='%i %t %r' | sort)
    if [ "$now" != "$seen" ]; then
        say "queue"
        squeue --format='%.12i %.22j %.3t %.6M %r'
        seen=$now
    fi
    sleep 3
done

say "where the runs stand"
"$program" study "$out" --status

say "what Slurm and the tasks said"
for log in "$out"/logs/slurm-*.log; do
    echo "-- $(basename "$log")"
    grep -hE 'resumed|finished|interrupted|Killed|requeue|CANCELLED|report.html|page' "$log" | anywhere || true
done

say "the same study without Slurm"
"$program" study scripts/slurm/demo.toml --out "$out-plain" --devices cpu --jobs 2 2>&1 | tail -n 2 | anywhere
for run in start/s0 escape/none_s0 escape/none_s1 escape/label-flip_s0 escape/label-flip_s1; do
    cmp "$out/$run/metrics.jsonl" "$out-plain/$run/metrics.jsonl" && echo "$run: the same rows"
    for weights in "$out-plain/$run"/checkpoints/*.safetensors; do
        cmp "$weights" "$out/$run/checkpoints/$(basename "$weights")"
    done
done
say "done"

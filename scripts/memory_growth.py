#!/usr/bin/env python3
"""The largest resident size of a run in each of its epochs, with all metrics: does memory grow?

usage: memory_growth.py SALTFLAT CONFIG [--set KEY=VALUE ...]

Linux: the peak is reset after every measurement through /proc/PID/clear_refs. Prints a line an epoch and the ratio of the last
epoch's peak to the second's.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def peak(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    raise ProcessLookupError


def main():
    program, config, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        run = os.path.join(place, "run")
        command = [program, "train", config, "--device", "cpu", "--out", run, *rest]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seen, peaks = 0, []
        while process.poll() is None:
            try:
                with open(os.path.join(run, "metrics.jsonl")) as rows:
                    measured = [json.loads(row)["epoch"] for row in rows if row.endswith("\n") and '"measurement"' in row]
            except FileNotFoundError:
                measured = []
            if len(measured) > seen:
                try:
                    peaks.append((measured[-1], peak(process.pid)))
                    with open(f"/proc/{process.pid}/clear_refs", "w") as reset:
                        reset.write("5")
                except (ProcessLookupError, FileNotFoundError):
                    break
                print(f"epoch {measured[-1]:3d}: {peaks[-1][1]:8.1f} MiB", flush=True)
                seen = len(measured)
            time.sleep(0.01)
        if process.wait() != 0:
            sys.exit(f"the run ended with {process.returncode}")
    second = next(size for epoch, size in peaks if epoch >= 2)
    print(f"last over second: {peaks[-1][1] / second:.4f}")


main()

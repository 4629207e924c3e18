#!/usr/bin/env python3
"""TensorBoard's own bytes of a few events: crates/saltflat-report/tests/fixtures/events.tfevents, and those of a resumed run:
resumed.tfevents beside it. With an argument, prints the scalars that TensorBoard reads from a folder of event files, and fails if
one of them stands twice at a step: once as TensorBoard shows them, once as a program that only parses the records sees them.

    pip install tensorboard
    python3 scripts/reference/tensorboard_events.py                  # writes the fixtures
    python3 scripts/reference/tensorboard_events.py RUN/tensorboard  # reads
"""

import collections
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "crates/saltflat-report/tests/fixtures"
VERSION = Event(wall_time=1.7e9, file_version="brain.Event:2")


def scalars(now, step, values):
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in values]
    return Event(wall_time=now, step=step, summary=Summary(value=values))


def write(name, events):
    FIXTURES.mkdir(parents=True, exist_ok=True)
    with open(FIXTURES / name, "wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()


def fixtures():
    first = scalars(1.7e9 + 0.5, 300, [("train/loss", 0.25), ("metrics/trace_hessian", -1e-3)])
    write("events.tfevents", [VERSION, first, scalars(1.7e9 + 1.0, 1 << 40, [("metrics/loss", float("nan"))])])
    # A run that goes on after step 300: what is at 301 or later is forgotten.
    start = Event(wall_time=1.7e9, step=301, session_log=SessionLog(status=SessionLog.START))
    write("resumed.tfevents", [VERSION, start, scalars(1.7e9 + 0.5, 310, [("train/loss", 0.125)])])


def read(folder):
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0}).Reload()
    shown = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    parsed = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).glob("*tfevents*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                parsed[value.tag].append((event.step, value.simple_value))
    for tag, values in shown.items():
        print(tag, values)
    for reader, found in [("TensorBoard", shown), ("a parser", parsed)]:
        for tag, values in found.items():
            twice = [step for step, count in collections.Counter(step for step, _ in values).items() if count > 1]
            if twice:
                sys.exit(f"{reader} finds {tag} more than once at steps {twice}")


if __name__ == "__main__":
    read(sys.argv[1]) if len(sys.argv) > 1 else fixtures()

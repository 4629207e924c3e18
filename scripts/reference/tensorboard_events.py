#!/usr/bin/env python3
"""TensorBoard's own bytes of a few events: crates/saltflat-report/tests/fixtures/events.tfevents. With arguments, prints the scalars
that TensorBoard reads from a folder of event files.

    pip install tensorboard
    python3 scripts/reference/tensorboard_events.py                  # writes the fixture
    python3 scripts/reference/tensorboard_events.py RUN/tensorboard  # reads
"""

import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

FIXTURE = pathlib.Path(__file__).resolve().parents[2] / "crates/saltflat-report/tests/fixtures/events.tfevents"


def scalars(now, step, values):
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in values]
    return Event(wall_time=now, step=step, summary=Summary(value=values))


def write():
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    with open(FIXTURE, "wb") as file:
        writer = RecordWriter(file)
        for event in [
            Event(wall_time=1.7e9, file_version="brain.Event:2"),
            scalars(1.7e9 + 0.5, 300, [("train/loss", 0.25), ("metrics/trace_hessian", -1e-3)]),
            scalars(1.7e9 + 1.0, 1 << 40, [("metrics/loss", float("nan"))]),
        ]:
            writer.write(event.SerializeToString())
        writer.flush()


def read(folder):
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0}).Reload()
    for tag in events.Tags()["scalars"]:
        print(tag, [(e.step, e.value) for e in events.Scalars(tag)])


if __name__ == "__main__":
    read(sys.argv[1]) if len(sys.argv) > 1 else write()

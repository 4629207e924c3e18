#!/usr/bin/env python3
"""A peer that is killed, ends, hangs or talks nonsense is a failed cell, and the table is finished. Needs nothing but Python.

    python3 scripts/bench/test_peers.py
"""

import argparse
import pathlib
import sys
import tempfile
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import curvature  # noqa: E402
import peers  # noqa: E402

# A worker that answers `answers` requests, and does then what it was told.
WORKER = """
import os, signal, sys, time
answers, then = int(sys.argv[1]), sys.argv[2]
for number, line in enumerate(sys.stdin):
    if number < answers:
        print('{"seconds": 0.5, "peak_bytes": 1048576}', flush=True)
    elif then == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif then == "exit":
        sys.exit(3)
    elif then == "hang":
        time.sleep(600)
    elif then == "nonsense":
        print("Warning: out of memory", flush=True)
    elif then == "half":
        print('{"seconds": 0.5', end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""
TASK = "alignment vgg11"


def fake(answers, then):
    return [sys.executable, "-c", WORKER, str(answers), then]


class Workers(unittest.TestCase):
    def setUp(self):
        peers.PAUSE = 0.0

    def test_a_failed_worker_is_a_failed_cell(self):
        for answers in (0, 1):
            for then, said in [
                ("killed", "SIGKILL"),
                ("exit", "exit status 3"),
                ("hang", "no answer in 1 s"),
                ("nonsense", "Warning: out of memory"),
                ("half", "answered with"),
            ]:
                with self.subTest(answers=answers, then=then):
                    commands = {"ours": fake(9, "stay"), "PyTorch": fake(answers, then)}
                    replies = peers.measure(TASK, commands, 3, timeout=1)
                    self.assertEqual([reply.get("seconds") for reply in replies["ours"]], [0.5] * 3)
                    self.assertEqual(["error" in reply for reply in replies["PyTorch"]], [False] * answers + [True] * (3 - answers))
                    self.assertEqual(peers.row(TASK, replies), [f"`{TASK}`", "500", "–", "–", "1", "–", "–"])
                    (line,) = peers.errors({TASK: replies})
                    self.assertIn(said, line)
                    self.assertTrue(line.startswith(f"`{TASK}`, PyTorch: "), line)

    def test_one_that_ends_before_the_first_question(self):
        commands = {"ours": [sys.executable, "-c", "raise SystemExit(1)"], "PyTorch": fake(9, "stay")}
        replies = peers.measure(TASK, commands, 2, timeout=10)
        self.assertTrue(all("exit status 1" in reply["error"] for reply in replies["ours"]))
        self.assertEqual(peers.row(TASK, replies), [f"`{TASK}`", "–", "500", "–", "–", "1", "–"])

    def test_the_other_tasks_go_on(self):
        failing = {"ours": fake(9, "stay"), "PyTorch": fake(0, "killed")}
        working = {"ours": fake(9, "stay"), "PyTorch": fake(9, "stay")}
        results = {task: peers.measure(task, commands, 2, timeout=10) for task, commands in [("grad mlp", working), (TASK, failing), ("grad vgg11", working)]}
        text = peers.table(peers.header(["ours", "PyTorch"]), [peers.row(task, replies) for task, replies in results.items()])
        self.assertEqual(len(text.splitlines()), 5)
        self.assertIn("| `grad vgg11` | 500 | 500 | **1** (1–1) |", text)
        self.assertEqual(peers.in_gradients(results), [[f"`{TASK}`", "1.00", "–"]])


class Curvature(unittest.TestCase):
    def test_a_killed_process_is_a_failed_row(self):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder, "killed")
            script.write_text("#!/bin/sh\nkill -9 $$\n")
            script.chmod(0o755)
            rows = curvature.our_rows(script, pathlib.Path(folder), argparse.Namespace(rows=["top 5"]))
            self.assertEqual(set(rows), {"gradient", "probe", "product", "top 5", "alignment"})
            self.assertTrue(all("SIGKILL" in row["error"] for row in rows.values()), rows)
            self.assertIn("SIGKILL", curvature.cell(rows["alignment"], None, None))
            real, curvature.sys = curvature.sys, types.SimpleNamespace(executable=str(script))
            try:
                found = curvature.peer("torch", "alignment", "vgg19", folder, argparse.Namespace(gram_samples=1, time_budget=10))
            finally:
                curvature.sys = real
            self.assertIn("SIGKILL", found["error"])


if __name__ == "__main__":
    unittest.main()

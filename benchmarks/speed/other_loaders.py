"""Loaders of others on the same files: tf.data and LeRobot, each run as a program of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed.suites import Row
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.sources.lerobot.writer import LeRobotWriter

# TensorFlow is a guest in this project. Two ways that people take; the others that were tried (no order, more episodes
# at once, images decoded after interleaving) were slower. Prints steps per second of the faster one.
_TENSORFLOW = """
import os, sys, time
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")
import tensorflow as tf
import tensorflow_datasets as tfds
folder, seconds = sys.argv[1], float(sys.argv[2])
auto = tf.data.AUTOTUNE
def episodes():
    return tfds.builder_from_directory(folder).as_dataset(split="train", shuffle_files=False).repeat()
def steps():
    return episodes().interleave(lambda e: e["steps"], cycle_length=4, block_length=16, num_parallel_calls=auto)
def pieces():
    return episodes().interleave(lambda e: e["steps"].batch(64), cycle_length=4, num_parallel_calls=auto).unbatch()
best = 0
for make in (steps, pieces):
    reader = iter(make().batch(64).prefetch(auto))
    for _ in range(10):
        next(reader)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(reader)
        count += 64
    best = max(best, count / (time.perf_counter() - start))
print(best)
"""

_LEROBOT = """
import sys, time
import torch
try:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
except ImportError:
    from lerobot.common.datasets.lerobot_dataset import LeRobotDataset
folder, seconds = sys.argv[1], float(sys.argv[2])
data = LeRobotDataset("embodio/benchmark", root=folder)
loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True, num_workers=0)
count, start = 0, None
while start is None or time.perf_counter() - start < seconds:
    for batch in loader:
        if start is None:
            start = time.perf_counter()
            continue
        count += len(batch["action"])
        if time.perf_counter() - start >= seconds:
            break
print(count / (time.perf_counter() - start))
"""

LEROBOT_PYTHON = "LEROBOT_PYTHON"


def processors() -> int:
    """How many processors this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tensorflow_rate(folder: Path, seconds: float) -> float:
    """Steps per second of tf.data; raises BenchmarkError if its program fails."""
    return _run(_TENSORFLOW, folder, seconds)


def lerobot_row(folder: Path, scratch: Path, seconds: float, ours: float) -> Row:
    """LeRobot's loader on the same steps in its own layout; says so where it is not installed.

    LeRobot may also be in an environment of its own, whose Python the variable LEROBOT_PYTHON names.

    Args:
        folder: of an RLDS data set.
        scratch: where the copy goes.
        seconds: how long to measure.
        ours: our own steps per second.

    Raises:
        BenchmarkError: its program fails.
    """
    name = "LeRobot's loader"
    python = os.environ.get(LEROBOT_PYTHON)
    if python is None and importlib.util.find_spec("lerobot") is None:
        note = f"lerobot is not installed, so there is no figure; {LEROBOT_PYTHON} may name a Python that has it"
        return Row(name, 0.0, "steps/s", note=note)
    reader = RLDSReader(folder)
    writer = LeRobotWriter(scratch, reader.features, fps=20.0, images="png")
    for episode in reader:
        writer.add(episode)
    writer.close()
    rate = _run(_LEROBOT, scratch, seconds, python)
    return Row(name, rate, "steps/s", ours, rate / ours, note="frames as PNG, one process, against ours from RLDS")


def _run(program: str, folder: Path, seconds: float, python: str | None = None) -> float:
    command = [python or sys.executable, "-c", program, str(folder.resolve()), str(seconds)]
    environment = {name: value for name, value in os.environ.items() if python is None or name != "PYTHONPATH"}
    # There, for Python looks into the present folder first, where our `datasets` would be taken for another package.
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode:
        raise BenchmarkError(f"a program that reads {folder} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])

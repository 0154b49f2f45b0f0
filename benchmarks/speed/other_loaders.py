"""Third-party loaders on the same files: tf.data and LeRobot, each run as a separate program."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.peers.program import LEROBOT_PYTHON
from embodio.benchmarks.speed.suites import Row
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.sources.lerobot.writer import LeRobotWriter

# Two common ways to read with TensorFlow; others (unordered, more episodes at once, images decoded after interleaving)
# were slower. Prints steps per second of the faster one.
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


def processors() -> int:
    """The number of processors this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tensorflow_rate(folder: Path, seconds: float) -> float:
    """Steps per second of tf.data; raises BenchmarkError if its program fails."""
    return _run(_TENSORFLOW, folder, seconds)


def lerobot_row(folder: Path, scratch: Path, seconds: float, ours: float) -> Row:
    """The rate of LeRobot's loader on the same steps in its own layout; a note if it is not installed.

    LeRobot may also be in a separate environment, whose Python the variable LEROBOT_PYTHON names.

    Args:
        folder: The folder of an RLDS data set.
        scratch: Where the copy goes.
        seconds: Time to measure for.
        ours: Our own steps per second.

    Raises:
        BenchmarkError: LeRobot's program fails.
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
    # Run there, because Python looks in the current folder first and would mistake our `datasets` for another package.
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode:
        raise BenchmarkError(f"a program that reads {folder} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])

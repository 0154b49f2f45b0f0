"""How fast RLDS data is read, beside tf.data on the same files; memory over many steps, random access, start-up."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.suites import BenchmarkConfig, Row
from embodio.datasets.episode_index import index_episodes
from embodio.datasets.errors import ExampleError
from embodio.datasets.loader import Loader, LoaderConfig
from embodio.datasets.order import scattered
from embodio.datasets.rlds.features import EpisodeFeatures, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter, encode_episode
from embodio.datasets.tasks.episode_cache import EpisodeCache
from embodio.model.collation import Batch

_BATCH = 64
_CAMERAS = ("front", "wrist")
_STATUS = Path("/proc/self/status")
_BYTES_OF_A_MEGABYTE = 1e6

# Run as a program of its own: TensorFlow is a guest in this project. Prints steps per second.
_TENSORFLOW = """
import os, sys, time
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")
import tensorflow as tf
import tensorflow_datasets as tfds
folder, seconds = sys.argv[1], float(sys.argv[2])
auto = tf.data.AUTOTUNE
episodes = tfds.builder_from_directory(folder).as_dataset(split="train", shuffle_files=False).repeat()
steps = episodes.interleave(lambda e: e["steps"], cycle_length=4, block_length=16, num_parallel_calls=auto)
reader = iter(steps.batch(64).prefetch(auto))
for _ in range(10):
    next(reader)
count, start = 0, time.perf_counter()
while time.perf_counter() - start < seconds:
    next(reader)
    count += 64
print(count / (time.perf_counter() - start))
"""


class FrameBatches:
    """Batches of raw steps of an RLDS data set, in order: two images, state and action; no task, no tokens."""

    damaged: tuple[ExampleError, ...] = ()

    def __init__(self, folder: Path, random: bool = False) -> None:
        self._reader = RLDSReader(folder)
        self._lengths = index_episodes(self._reader).lengths
        self._ends = np.cumsum(self._lengths)
        self._cache = EpisodeCache(self._reader, 16 << 20)
        self._random = random

    def make(self, step: int) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, [64, ...] each."""
        total = int(self._ends[-1])
        columns: dict[str, list[np.ndarray]] = {name: [] for name in (*_CAMERAS, "state", "action")}
        for position in range(step * _BATCH, (step + 1) * _BATCH):
            index = position % total
            index = scattered((position // total,), index, total) if self._random else index
            number = int(np.searchsorted(self._ends, index, side="right"))
            inside = index - int(self._ends[number] - self._lengths[number])
            episode = self._cache.episode(number)
            for name in _CAMERAS:
                columns[name].append(episode.frame(name, inside))
            for name in ("state", "action"):
                columns[name].append(episode.array(name)[inside])
        return {name: torch.from_numpy(np.stack(values)) for name, values in columns.items()}, ()


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Measures the data suite.

    Args:
        config: what to measure; `quick` makes everything tiny.
        progress: where the work is shown.

    Raises:
        BenchmarkError: tf.data is installed but its program fails.
    """
    task = progress.add_task("writing data", total=4)
    with tempfile.TemporaryDirectory() as scratch:
        folder, many = Path(scratch) / "steps", Path(scratch) / "many"
        _write(folder, episodes=4 if config.quick else 40, steps=20 if config.quick else 100, side=128)
        rows = []
        for description, part in (
            ("reading", lambda: _reading(folder, config)),
            ("workers", lambda: _workers(folder, config)),
            ("memory", lambda: _memory(folder, config)),
            ("start-up", lambda: _start_up(many, config)),
        ):
            progress.update(task, description=description)
            rows += part()
            progress.advance(task)
    return rows


def _reading(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """One process against tf.data, in turn."""
    seconds = 0.2 if config.quick else 4.0
    ours, random, theirs = [], [], []
    for _ in range(config.repeats):
        ours.append(_rate(FrameBatches(folder), seconds))
        random.append(_rate(FrameBatches(folder, random=True), seconds))
        if not config.quick and importlib.util.find_spec("tensorflow_datasets"):
            theirs.append(_tensorflow_rate(folder, seconds))
    reference = max(theirs) if theirs else None
    return [
        Row(
            "one process, two 128 px JPEGs a step",
            max(ours),
            "steps/s",
            reference,
            None if reference is None else max(ours) / reference,
            ">= 1.5" if reference else "",
            "against tf.data: interleaved, batched, prefetched, autotuned" if reference else "tf.data was not run",
        ),
        Row(
            "any step of any episode",
            max(random),
            "steps/s",
            max(ours),
            max(random) / max(ours),
            "",
            "against in order",
        ),
    ]


def _workers(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """Two worker processes against one, in turn."""
    batches = 8 if config.quick else 120
    best = {1: 0.0, 2: 0.0}
    for _ in range(config.repeats):
        for workers in best:
            with Loader(FrameBatches(folder), 0, batches, LoaderConfig(workers=workers, prefetch=2)) as loader:
                for _ in range(4):  # all workers have started
                    next(loader)
                start = time.perf_counter()
                count = sum(_BATCH for _ in loader)
                best[workers] = max(best[workers], count / (time.perf_counter() - start))
    return [Row("two workers", best[2], "steps/s", best[1], best[2] / best[1], ">= 1.7", "against one worker")]


def _memory(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """Resident memory of a process that reads steps at random; the curve is in the note."""
    if not _STATUS.exists():
        return []
    total = 640 if config.quick else 200_000
    batches, maker, curve = total // _BATCH, FrameBatches(folder, random=True), []
    for step in range(batches):
        maker.make(step)
        if step % max(1, batches // 10) == 0 or step == batches - 1:
            curve.append(_resident())
    middle = curve[len(curve) // 2]
    shown = ", ".join(f"{value:.0f}" for value in curve)
    note = f"against the middle; MB at every tenth of {total:,} steps: {shown}"
    return [Row("memory after the last step", curve[-1], "MB", middle, curve[-1] / middle, "<= 1.05", note)]


def _start_up(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """From nothing open to the first batch, for many episodes that were indexed before."""
    episodes = 100 if config.quick else 10_000
    _write(folder, episodes, steps=5, side=128)
    FrameBatches(folder, random=True).make(0)
    times = []
    for _ in range(config.repeats):
        start = time.perf_counter()
        FrameBatches(folder, random=True).make(0)
        times.append(time.perf_counter() - start)
    return [Row(f"first batch of {episodes:,} episodes", min(times), "s", goal="<= 2", note="indexed before")]


def _rate(maker: FrameBatches, seconds: float) -> float:
    maker.make(0)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        maker.make(1 + count)
        count += 1
    return count * _BATCH / (time.perf_counter() - start)


def _tensorflow_rate(folder: Path, seconds: float) -> float:
    command = [sys.executable, "-c", _TENSORFLOW, str(folder), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(f"the program that reads with tf.data failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def _resident() -> float:
    """Resident memory of this process now, in MB."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / _BYTES_OF_A_MEGABYTE
    raise BenchmarkError(f"{_STATUS} does not say how much memory is resident")


def _write(folder: Path, episodes: int, steps: int, side: int) -> None:
    """Writes episodes of smooth images with some noise, which compress as real ones do; ten differ and repeat."""
    features = EpisodeFeatures(
        {
            **{f"observation/{name}": ImageFeature(side, side) for name in _CAMERAS},
            "observation/state": TensorFeature("float32", (9,)),
            "action": TensorFeature("float32", (7,)),
            "language_instruction": TextFeature(),
        },
        {},
    )
    generator = np.random.default_rng(0)
    records = []
    for _ in range(min(episodes, 10)):
        rows = []
        for _ in range(steps):
            row = {f"observation/{name}": _picture(generator, side) for name in _CAMERAS}
            numbers = generator.standard_normal(16).astype(np.float32)
            rows.append(row | {"observation/state": numbers[:9], "action": numbers[9:], "language_instruction": "lift"})
        records.append(encode_episode(features, rows, {}))
    with RLDSWriter(folder, "steps", features) as writer:
        for episode in range(episodes):
            writer.add_record(records[episode % len(records)])


def _picture(generator: np.random.Generator, side: int) -> np.ndarray:
    coarse = generator.uniform(30, 225, (side // 16, side // 16, 3))
    smooth = np.kron(coarse, np.ones((16, 16, 1))) + generator.normal(0, 3, (side, side, 3))
    picture: np.ndarray = np.clip(smooth, 0, 255).astype(np.uint8)
    return picture

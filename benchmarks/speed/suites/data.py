"""Suite data: speed of reading RLDS data, compared with tf.data on the same files; memory, random access, start-up."""

from __future__ import annotations

import importlib.util
import io
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.progress import Progress

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed.other_loaders import lerobot_row, processors, tensorflow_rate
from embodio.benchmarks.speed.suites import BenchmarkConfig, Row
from embodio.datasets.episodes.features import EpisodeFeatures, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter, encode_episode
from embodio.datasets.stream.loader import Loader, LoaderConfig
from embodio.datasets.stream.step_batches import StepBatches, StepRecords

_BATCH = 64
_CAMERAS = ("front", "wrist")
_STATUS = Path("/proc/self/status")
_BYTES_OF_A_MEGABYTE = 1e6
_NOISE = 2.25  # grey values; an image then takes as many bytes as one of robosuite's Lift


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Measures the data suite.

    Args:
        config: What to measure; `quick` makes everything tiny.
        progress: Where progress is shown.

    Raises:
        BenchmarkError: The installed tf.data fails.
    """
    task = progress.add_task("writing data", total=5)
    with tempfile.TemporaryDirectory() as scratch:
        folder, many = Path(scratch) / "steps", Path(scratch) / "many"
        episodes, steps = (4, 20) if config.quick else (40, 100)
        _write(folder, episodes, steps, side=128)
        rows = []
        for description, part in (
            ("reading", lambda: _reading(folder, config)),
            ("any step", lambda: _any_step(folder, config)),
            ("workers", lambda: _workers(folder, config)),
            ("memory", lambda: _memory(folder, config)),
            ("start-up", lambda: _start_up(many, config)),
        ):
            progress.update(task, description=description)
            rows += part()
            progress.advance(task)
    return rows


def batches_of(folder: Path) -> StepBatches:
    """Batches of raw steps of an RLDS data set in random order: two images, state and action."""
    return StepBatches(StepRecords(RLDSReader(folder), (*_CAMERAS, "state", "action")), seed=0, batch_size=_BATCH)


def _reading(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """Throughput of one process against tf.data, in turn; both use all processors."""
    seconds = 0.2 if config.quick else 4.0
    published = folder.with_name("published")
    _write(published, *((4, 20) if config.quick else (40, 100)), side=128, halved_colours=True)
    rows, fastest = [], 0.0
    for place, colours in ((folder, "full colours"), (published, "halved colours")):
        ours, theirs = [], []
        for _ in range(config.repeats):
            ours.append(_rate(place, LoaderConfig(threads=processors(), prefetch=2), seconds))
            if not config.quick and importlib.util.find_spec("tensorflow_datasets") is not None:
                theirs.append(tensorflow_rate(place, seconds))
        reference = max(theirs) if theirs else None
        ratio = None if reference is None else max(ours) / reference
        note = f"{processors()} threads, random order, against tf.data: interleaved, batched, prefetched, autotuned"
        note = f"{processors()} threads, random order; tf.data was not run" if reference is None else note
        goal = "" if reference is None else ">= 1.5"
        rows.append(
            Row(f"one process, two 128 px JPEGs, {colours}", max(ours), "steps/s", reference, ratio, goal, note)
        )
        fastest = fastest or max(ours)
    return [*rows, lerobot_row(folder, folder.with_name("lerobot"), seconds, fastest)]


def _any_step(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """The time to read one step, including opening its episode."""
    reader = RLDSReader(folder)
    times = {0: math.inf, -1: math.inf}
    for _ in range(config.repeats):
        for where, known in times.items():
            start = time.perf_counter()
            for number in range(len(reader)):
                episode = reader.episode(number)
                for name in _CAMERAS:
                    episode.frame(name, where % len(episode))
            times[where] = min(known, (time.perf_counter() - start) / len(reader) * 1e6)
    note = "both images, from an episode that is opened for it; against the first step"
    return [Row("the last step of an episode", times[-1], "us", times[0], times[-1] / times[0], "<= 1.2", note)]


def _workers(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """Throughput of two worker processes against one, in turn."""
    seconds = 0.2 if config.quick else 4.0
    best = {1: 0.0, 2: 0.0}
    for _ in range(config.repeats):
        for workers, rate in best.items():
            best[workers] = max(rate, _rate(folder, LoaderConfig(workers=workers, prefetch=2), seconds))
    return [Row("two workers", best[2], "steps/s", best[1], best[2] / best[1], ">= 1.7", "against one worker")]


def _memory(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """Resident memory of a process that reads steps at random; the curve is in the note."""
    if not _STATUS.exists():
        return []
    total = 640 if config.quick else 200_000
    batches, curve = total // _BATCH, []
    with Loader(batches_of(folder), 0, batches, LoaderConfig(threads=processors(), prefetch=2)) as loader:
        for step, _ in enumerate(loader):
            if step % max(1, batches // 10) == 0 or step == batches - 1:
                curve.append(_resident())
    middle = curve[len(curve) // 2]
    shown = ", ".join(f"{value:.0f}" for value in curve)
    note = f"against the middle; MB at every tenth of {total:,} steps: {shown}"
    return [Row("memory after the last step", curve[-1], "MB", middle, curve[-1] / middle, "<= 1.05", note)]


def _start_up(folder: Path, config: BenchmarkConfig) -> list[Row]:
    """The time from nothing open to the first batch, for many episodes that were indexed before."""
    episodes = 100 if config.quick else 10_000
    _write(folder, episodes, steps=5, side=128)
    batches_of(folder).make(0)
    times = []
    for _ in range(config.repeats):
        start = time.perf_counter()
        batches_of(folder).make(0)
        times.append(time.perf_counter() - start)
    return [Row(f"first batch of {episodes:,} episodes", min(times), "s", goal="<= 2", note="indexed before")]


def _rate(folder: Path, how: LoaderConfig, seconds: float) -> float:
    """Steps per second of the loader in steady state."""
    with Loader(batches_of(folder), 0, 1_000_000, how) as loader:
        for _ in range(12):  # until all workers have started
            next(loader)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            next(loader)
            count += 1
        return count * _BATCH / (time.perf_counter() - start)


def _resident() -> float:
    """Resident memory of this process now, in MB."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / _BYTES_OF_A_MEGABYTE
    raise BenchmarkError(f"{_STATUS} does not say how much memory is resident")


def _write(folder: Path, episodes: int, steps: int, side: int, halved_colours: bool = False) -> None:
    """Writes episodes of smooth, slightly noisy images as large as those of Lift (5.0 KB); ten distinct ones repeat.

    Args:
        folder: Where to write.
        episodes: Number of episodes.
        steps: Steps of each.
        side: Side of the images in pixels.
        halved_colours: Whether to write colours at half resolution, as tfds does, instead of full, as embodio does.
    """
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
            pictures = {f"observation/{name}": _picture(generator, side) for name in _CAMERAS}
            row: dict[str, Any] = {name: _halved(p) if halved_colours else p for name, p in pictures.items()}
            numbers = generator.standard_normal(16).astype(np.float32)
            rows.append(row | {"observation/state": numbers[:9], "action": numbers[9:], "language_instruction": "lift"})
        records.append(encode_episode(features, rows, {}))
    with RLDSWriter(folder, "steps", features) as writer:
        for episode in range(episodes):
            writer.add_record(records[episode % len(records)])


def _picture(generator: np.random.Generator, side: int) -> np.ndarray:
    coarse = generator.uniform(30, 225, (side // 16, side // 16, 3))
    smooth = np.kron(coarse, np.ones((16, 16, 1))) + generator.normal(0, _NOISE, (side, side, 3))
    picture: np.ndarray = np.clip(smooth, 0, 255).astype(np.uint8)
    return picture


def _halved(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=95, subsampling=2)
    return buffer.getvalue()

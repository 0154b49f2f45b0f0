"""Episodes of 0 steps, in every layout: skipped, counted and reported by inspect, stats, verify and training."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from embodio.datasets.checks.verify import verify
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.features import EpisodeFeatures, features_of
from embodio.datasets.episodes.source import some_episodes
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.opening import open_source
from embodio.datasets.pages.visualise import write_page
from embodio.datasets.rlds import writer as rlds_writer
from embodio.datasets.rlds.example_proto import encode_example
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.train.commands.data.data import main as data
from embodio.train.main import main as train
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import metadata_of, toy_rows
from tests.support.datasets.vima_files import write_episode


def without_steps(features: EpisodeFeatures, steps: Sequence[Any], episode: Mapping[str, Any]) -> bytes:
    """The record of an episode that holds no step, which the writer itself refuses."""
    values = {
        f"steps/{path}": rlds_writer._encode(path, feature, [steps[0][path]])[:0]
        for path, feature in features.steps.items()
    }
    return encode_example(
        values
        | {path: rlds_writer._encode(path, feature, [episode[path]]) for path, feature in features.episode.items()}
    )


def rlds(folder: Path, lengths: tuple[int, ...]) -> Path:
    robot, generator = make_embodiment(), np.random.default_rng(1)
    with RLDSWriter(folder / "toy", "toy", features_of(robot)) as writer:
        for number, length in enumerate(lengths):
            with nullcontext() if length else mock.patch.object(rlds_writer, "encode_episode", without_steps):
                writer.add(toy_rows(generator, length or 1), metadata_of(number))
    robot.save(folder / "toy" / "embodiment.json")
    return folder / "toy"


def lerobot(folder: Path, lengths: tuple[int, ...]) -> Path:
    """A folder in which the lengths of some episodes are set to 0; their rows then belong to nobody."""
    toy = rlds(folder, tuple(length or 3 for length in lengths))
    convert(open_source(toy), folder / "lerobot", ConversionSettings("lerobot", images="png"))
    (path,) = (folder / "lerobot" / "meta" / "episodes").rglob("*.parquet")
    table = pq.read_table(path)
    rows = table.to_pylist()
    for row, length in zip(rows, lengths, strict=True):
        if not length:
            row |= {"length": 0, "dataset_to_index": row["dataset_from_index"]}
    pq.write_table(table.from_pylist(rows, table.schema), path)
    info = folder / "lerobot" / "meta" / "info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"total_frames": sum(lengths)}))
    return folder / "lerobot"


def hdf5(folder: Path, lengths: tuple[int, ...]) -> Path:
    generator = np.random.default_rng(1)
    with h5py.File(folder / "demos.hdf5", "w") as file:
        for number, length in enumerate(lengths):
            group = file.create_group(f"data/demo_{number}")
            group["actions"] = generator.uniform(-1, 1, (length, 7))
            group["obs/robot0_eef_pos"] = generator.normal(size=(length, 3))
            group["obs/agentview_image"] = generator.integers(0, 256, (length, 32, 32, 3), np.uint8)
    return folder / "demos.hdf5"


def vima(folder: Path, lengths: tuple[int, ...]) -> Path:
    for number, length in enumerate(lengths):
        write_episode(folder / "vima" / "rotate" / f"{number:06d}", length, number)
    return folder / "vima"


KINDS = [rlds, lerobot, hdf5, vima]
Write = Callable[[Path, tuple[int, ...]], Path]


@pytest.mark.parametrize(
    ("lengths", "write"),
    [
        *(pytest.param((4, 0, 3, 5, 0), write, id=f"{write.__name__}-others") for write in (rlds, vima)),
        *(pytest.param((0, 4, 3, 5), write, id=f"{write.__name__}-the first") for write in (rlds, lerobot, hdf5)),
        *(pytest.param((4, 0, 3, 5, 0), write, marks=pytest.mark.slow) for write in (lerobot, hdf5)),
        pytest.param((0, 4, 3, 5), vima, marks=pytest.mark.slow),
    ],
)
def test_reading_and_checking(
    write: Write, lengths: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, lengths)
    source = open_source(path)
    assert [source.episode_length(number) for number in range(len(source))] == list(lengths)
    assert source.episode(lengths.index(0)).array("action").shape[0] == 0
    assert [number for number, _ in some_episodes(source)] == [n for n, length in enumerate(lengths) if length]
    described = tmp_path / "described.yaml"
    described.write_text(propose(source, path))
    source = open_source(described)
    statistics = compute_statistics(source)
    assert statistics.field("action").count == sum(lengths)
    said = f"{lengths.count(0)} of {len(lengths)} episodes have no steps and are left out"
    assert said in statistics.source
    finding = next(finding for finding in verify(source) if finding.check == "readable episodes")
    assert "have no steps and are left out" in finding.found and finding.status == "note"
    write_page(source, [int(np.argmax(lengths))], tmp_path / "page.html")
    for command in (["inspect"], ["stats"], ["verify"]):
        assert data([*command, str(described)]) == 0
        assert "no steps" in " ".join(capsys.readouterr().out.split())
    done = convert(source, tmp_path / "copy")
    assert done.episodes == len(lengths) - lengths.count(0) and "no steps" in next(iter(done.skipped.values()))


@pytest.mark.parametrize("write", KINDS)
def test_training(write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, (0, 4, 0, 3, 3, 0))
    described = tmp_path / "described.yaml"
    described.write_text(propose(open_source(path), path))
    cameras = ",".join(open_source(described).episode(1).cameras)
    settings = [f"data={described}", f"policy.cameras=[{cameras}]", "steps=1", "batch_size=2", "holdout=1", "workers=0"]
    assert train([*settings, "threads=1", "validate_every=1", f"out={tmp_path / 'run'}"]) == 0
    assert "3 of 6 episodes have no steps and are left out (0, 2, 5)" in caplog.text
    assert "validation" in (tmp_path / "run" / "log.jsonl").read_text()


def test_an_episode_without_steps_is_not_damaged(tmp_path: Path) -> None:
    path = vima(tmp_path, (0, 2))
    assert len(open_source(path).episode(0)) == 0
    meta = path / "rotate" / "000000" / "trajectory.pkl"
    meta.write_bytes(pickle.dumps(pickle.loads(meta.read_bytes()) | {"steps": 3}))
    assert any("are damaged: 0" in finding.found for finding in verify(open_source(path)))

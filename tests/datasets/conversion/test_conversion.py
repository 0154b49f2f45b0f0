"""Data sets in other layouts: value for value, resumed after a kill to the same bytes, never over other files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from embodio.datasets.conversion.conversion import REPORT, convert
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.conversion.targets import dataset_name
from embodio.datasets.episodes.features import ImageFeature, TextFeature
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.reader import RLDSReader
from tests.support.datasets.rich_data import write_rich
from tests.support.datasets.toy import write_toy_dataset
from tests.support.datasets.vima_files import write_episode

LEROBOT = ConversionSettings("lerobot", images="png")


def assert_same(source: EpisodeSource, folder: Path, *, tolerance: float = 0) -> None:
    found = open_source(folder)
    assert len(found) == len(source)
    for index in range(len(source)):
        old, new = source.episode(index), found.episode(index)
        assert len(old) == len(new) == found.episode_length(index)
        for path, feature in source.features.steps.items():
            for step in range(len(old)):
                if isinstance(feature, ImageFeature):
                    difference = np.abs(old.frame(path, step).astype(int) - new.frame(path, step))
                    assert difference.mean() <= tolerance, path
                elif isinstance(feature, TextFeature):
                    assert old.text(path, step) == new.text(path, step)
                else:
                    assert np.array_equal(old.array(path), new.array(path), equal_nan=True), path
                    assert old.array(path).dtype == new.array(path).dtype, path
        for path, feature in source.features.episode.items():
            ours, theirs = old.value(path), new.value(path)
            if isinstance(feature, ImageFeature):
                ours, theirs = np.abs(ours.astype(int) - theirs).mean() <= tolerance, True
            assert np.array_equal(ours, theirs), path


def write_hdf5(path: Path) -> Path:
    generator = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        group = file.create_group("data/demo_0")
        group["actions"] = generator.normal(size=(3, 7)).astype(np.float32)
        group["obs/agentview_image"] = generator.integers(0, 256, (3, 8, 9, 3), np.uint8)
        group["obs/robot0_eef_pos"] = generator.normal(size=(3, 3))
    return path


def test_vima(tmp_path: Path) -> None:
    write_episode(tmp_path / "rotate" / "000000", 2, 3)
    source = open_source(tmp_path / "rotate")
    counts: list[int] = []
    convert(source, tmp_path / "rlds", done=counts.append)
    assert counts == [0, 1]
    assert_same(source, tmp_path / "rlds")
    assert RLDSReader(tmp_path / "rlds").embodiment == source.embodiment
    assert RLDSReader(tmp_path / "rlds").name == "vima_rotate"


def test_hdf5(tmp_path: Path) -> None:
    source = open_source(write_hdf5(tmp_path / "Lift 2.hdf5"))
    convert(source, tmp_path / "rlds")
    assert_same(source, tmp_path / "rlds")
    assert RLDSReader(tmp_path / "rlds").name == "lift_2"
    with pytest.raises(DatasetError, match=r"how many steps a second has. Give fps="):
        convert(source, tmp_path / "lerobot", LEROBOT)
    convert(source, tmp_path / "lerobot", ConversionSettings("lerobot", images="png", fps=20))
    assert_same(source, tmp_path / "lerobot")


def test_there_and_back(tmp_path: Path) -> None:
    source = open_source(write_rich(tmp_path / "rich"))
    convert(source, tmp_path / "lerobot", ConversionSettings("lerobot", images="png", fps=12.5))
    assert_same(source, tmp_path / "lerobot")
    convert(open_source(tmp_path / "lerobot"), tmp_path / "back", ConversionSettings(name="rich"))
    assert_same(source, tmp_path / "back")
    assert json.loads((tmp_path / "lerobot/meta/stats.json").read_text())["action"]["count"] == [9]  # finite ones


def test_video_keeps_smooth_pictures_within_two_levels(tmp_path: Path) -> None:
    source = open_source(write_rich(tmp_path / "rich"))
    convert(source, tmp_path / "lerobot", ConversionSettings("lerobot", fps=10))
    assert_same(source, tmp_path / "lerobot", tolerance=2)


def test_jpeg_in_rlds(tmp_path: Path) -> None:
    source = open_source(write_rich(tmp_path / "rich"))
    convert(source, tmp_path / "small", ConversionSettings(images="jpeg"))
    assert_same(source, tmp_path / "small", tolerance=20)  # noise in grey


def test_damaged_episodes_are_left_out_and_listed(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=4, steps=2)
    (shard,) = folder.glob("*tfrecord*")
    offset, length = RLDSReader(folder)._shards[0]._spans[1]  # type: ignore[attr-defined]
    content = bytearray(shard.read_bytes())
    content[offset + length // 2] ^= 1
    shard.write_bytes(content)
    for settings in (ConversionSettings(), LEROBOT):
        out = tmp_path / settings.to
        result = convert(open_source(folder), out, settings)
        assert (result.episodes, list(result.skipped)) == (3, [1])
        assert "record 1: the checksum" in json.loads((out / REPORT).read_text())["skipped"]["1"]
        assert [open_source(out).episode(i).metadata["seed"] for i in range(3)] == [0, 2, 3]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    source = open_source(write_toy_dataset(tmp_path / "toy", episodes=1, steps=2))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for place in ("full", "full/mine.txt", "toy"):
        with pytest.raises(DatasetError, match="Choose another folder"):
            convert(source, tmp_path / place)
    (tmp_path / "empty").mkdir()
    assert convert(source, tmp_path / "empty").episodes == 1
    assert not list(tmp_path.glob(".*"))


def test_settings(tmp_path: Path) -> None:
    for arguments in ({"to": "zarr"}, {"images": "video"}, {"to": "lerobot", "images": "jpeg"}, {"fps": 0.0}):
        with pytest.raises(DatasetError):
            ConversionSettings(**arguments)  # type: ignore[arg-type]
    assert [dataset_name(name) for name in ("Lift (2)", "7 cups", "a__b")] == ["lift_2", "data_7_cups", "a_b"]


class Stopped(Exception):
    """Stands for a process that ends here."""


def stop_at(number: int) -> Callable[[int], None]:
    def done(count: int) -> None:
        if count == number:
            raise Stopped

    return done


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "record_index.json"
    }


@pytest.mark.parametrize("settings", [ConversionSettings(), LEROBOT], ids=["rlds", "lerobot"])
def test_stopped_anywhere_it_goes_on_to_the_same_bytes(
    settings: ConversionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embodio.datasets.rlds.writer.SHARD_BYTES", 100_000)
    monkeypatch.setattr("embodio.datasets.sources.lerobot.writer.GROUP_STEPS", 4)
    source = open_source(write_toy_dataset(tmp_path / "toy", episodes=5, steps=2))
    convert(source, tmp_path / "whole", settings)
    out = tmp_path / "parts"
    for number in (1, 2, 4, 5):
        with pytest.raises(Stopped):
            convert(source, out, settings, done=stop_at(number))
        assert not out.exists()
        for unfinished in (tmp_path / ".parts.converting").glob("*.unfinished"):
            with unfinished.open("ab") as file:  # a record that is cut off
                file.write(bytes(7))
    with pytest.raises(DatasetError, match="with another images"):
        convert(source, out, ConversionSettings(settings.to, images="jpeg" if settings.to == "rlds" else "video"))
    assert convert(source, out, settings).resumed >= 4
    assert files_of(out) == files_of(tmp_path / "whole")


@pytest.mark.parametrize("to", ["rlds", "lerobot"])
def test_killed_by_the_system_it_goes_on_to_the_same_bytes(to: str, tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=6, steps=3)
    program = (
        "import sys; from embodio.datasets.conversion.conversion import convert;"
        "from embodio.datasets.conversion.settings import ConversionSettings;"
        "from embodio.datasets.opening import open_source;"
        "import embodio.datasets.sources.lerobot.writer as w; w.GROUP_STEPS = 3;"
        "[convert(open_source(sys.argv[1]), out, ConversionSettings(sys.argv[2])) for out in sys.argv[3:]]"
    )
    command = [sys.executable, "-c", program, str(folder), to]
    killed = 0
    for wanted in (1, 2):
        process = subprocess.Popen([*command, str(tmp_path / "parts")], stderr=subprocess.DEVNULL)
        staging = tmp_path / ".parts.converting"
        begin = time.monotonic()
        while process.poll() is None and time.monotonic() - begin < 600 and pieces(staging) < wanted:
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed and not (tmp_path / "parts").exists()
    subprocess.run([*command, str(tmp_path / "parts"), str(tmp_path / "whole")], check=True, capture_output=True)
    assert files_of(tmp_path / "parts") == files_of(tmp_path / "whole")
    assert len(open_source(tmp_path / "parts")) == 6


def pieces(staging: Path) -> int:
    """How far a conversion is: groups of LeRobot, or quarters of a megabyte of a shard."""
    groups = len(list(staging.glob("meta/episodes/*/file-*.parquet")))
    return groups + sum(path.stat().st_size for path in staging.glob("*.unfinished")) // 250_000

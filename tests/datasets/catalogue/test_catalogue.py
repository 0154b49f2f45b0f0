"""Every entry of the catalogue against a miniature data set with the fields of the published one."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.catalogue import catalogue_names, catalogue_path
from embodio.datasets.episodes.feature_json import load_features
from embodio.datasets.episodes.features import (
    DepthFeature,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.sources.description import Description
from tests.support.datasets import published_fields

RLDS = [name for name in catalogue_names() if Description.load(catalogue_path(name)).kind == "rlds"]
STEPS = 2
PUBLISHED = sorted(published_fields.STEPS)


def value(feature: Feature, path: str, generator: np.random.Generator) -> Any:
    if isinstance(feature, TextFeature):
        return "push the cube"
    if isinstance(feature, ImageFeature):
        return np.full((8, 8, feature.channels), 90, np.uint8)
    if isinstance(feature, DepthFeature):
        return np.zeros((feature.height, feature.width, 1), np.float32)
    if path == "observation/instruction":
        text = np.frombuffer("push é".encode(), np.uint8).astype(np.int32)
        return np.pad(text, (0, feature.shape[0] - len(text)))
    return generator.integers(0, 2, feature.shape).astype(feature.numpy_dtype)


def small(feature: Feature) -> Feature:
    """Images of any size and small depth images, so that the test is quick."""
    if isinstance(feature, ImageFeature):
        return ImageFeature(8, 8, feature.channels, feature.encoding)
    return feature


def miniature(folder: Path, features: EpisodeFeatures) -> Path:
    generator = np.random.default_rng(0)
    steps = {path: small(feature) for path, feature in features.steps.items()}
    with RLDSWriter(folder, "mini", EpisodeFeatures(steps, features.episode)) as writer:
        for _ in range(2):
            rows = [{path: value(f, path, generator) for path, f in steps.items()} for _ in range(STEPS)]
            writer.add(rows, {path: value(f, path, generator) for path, f in features.episode.items()})
    return folder


def plain(features: Mapping[str, Feature]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """In the words of `published_fields`."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for path, feature in features.items():
        if isinstance(feature, TextFeature):
            found[path] = ("text", ())
        elif isinstance(feature, TensorFeature):
            found[path] = (feature.dtype, feature.shape)
        else:
            kind, channels = ("depth", 1) if isinstance(feature, DepthFeature) else ("image", feature.channels)
            found[path] = (kind, (feature.height or 0, feature.width or 0, channels))
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_entry_has_the_published_fields_and_frequency(name: str) -> None:
    description = Description.load(catalogue_path(name))
    assert description.features is not None and description.embodiment is not None
    assert plain(description.features.steps) == published_fields.parse(published_fields.STEPS[name])
    assert plain(description.features.episode) == published_fields.parse(published_fields.EPISODE[name])
    assert description.embodiment.control_hz == published_fields.CONTROL_HZ[name]


def test_every_entry_is_checked_against_its_publisher_and_says_where_its_facts_are_from() -> None:
    assert set(RLDS) == {*PUBLISHED, "robomimic_ph", "robomimic_mh", "robomimic_mg"}
    assert all(Description.load(catalogue_path(name)).see for name in catalogue_names())


@pytest.mark.tf
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra `tf` is not installed")
def test_robomimic_entries_have_the_fields_of_tfds(tmp_path: Path) -> None:
    program = (
        "import sys, tensorflow_datasets as tfds\n"
        "for kind in ('ph', 'mh', 'mg'):\n"
        "    builder = tfds.builder(f'robomimic_{kind}/lift_{kind}_image', data_dir=sys.argv[1])\n"
        "    folder = f'{sys.argv[1]}/robomimic_{kind}/lift_{kind}_image/{builder.version}'\n"
        "    __import__('os').makedirs(folder)\n"
        "    builder.info.features.save_config(folder)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("robomimic_ph", "robomimic_mh", "robomimic_mg"):
        description = Description.load(catalogue_path(name))
        assert description.features == load_features(tmp_path / description.folder)


@pytest.mark.parametrize("name", RLDS)
def test_entry_reads_a_data_set_of_its_structure(name: str, tmp_path: Path) -> None:
    description = Description.load(catalogue_path(name))
    assert description.name == name and description.about and description.origin and description.embodiment
    assert description.features is not None
    source = open_source(name, folder=miniature(tmp_path, description.features))
    assert isinstance(source, EpisodeSource)
    source = pickle.loads(pickle.dumps(source))
    assert len(source) == 2 and source.episode_length(1) == STEPS
    episode, embodiment = source.episode(0), source.embodiment
    assert isinstance(episode, EpisodeView)
    assert episode.array("action").shape == (STEPS, len(embodiment.action.dimensions))
    assert episode.array("action").dtype == np.float32
    if embodiment.state:
        assert episode.array("state").shape == (STEPS, len(embodiment.state))
    assert episode.instruction in ("push the cube", "push é", "lift the cube")
    assert episode.cameras and {camera.name for camera in embodiment.cameras} == set(episode.cameras)
    for camera in episode.cameras:
        assert abs(int(episode.frame(camera, 1).mean()) - 90) < 3
    first = description.fields["action"][0]
    raw = source._base.episode(0).array(first.path)  # type: ignore[attr-defined]
    assert episode.array("action")[0, 0] == raw.reshape(STEPS, -1)[0, first.first]


def test_what_the_mission_needs_is_there() -> None:
    needed = "bridge_v2 language_table language_table_sim nyu_franka_play fractal droid kuka taco_play jaco_play"
    needed += (
        " berkeley_cable_routing berkeley_autolab_ur5 stanford_hydra austin_buds austin_sailor austin_sirius nyu_rot"
    )
    needed += " ucsd_kitchen ucsd_pick_and_place bc_z fmb vima robomimic_ph robomimic_mh robomimic_mg"
    assert set(needed.split()) <= set(catalogue_names())


def test_other_files_than_described_are_refused(tmp_path: Path) -> None:
    description = Description.load(catalogue_path("bridge_v2"))
    assert description.features is not None
    steps = dict(description.features.steps)
    steps["action"] = TensorFeature("float32", (6,))
    folder = miniature(tmp_path, EpisodeFeatures(steps, description.features.episode))
    with pytest.raises(FeatureError, match=r"action is .*6.* in the data, declared"):
        open_source("bridge_v2", folder=folder)


def test_missing_files_name_their_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBODIO_DATA", raising=False)
    with pytest.raises(DatasetError, match=r"Fetch them from gs://gresearch/robotics/droid/1\.0\.0"):
        open_source("droid")
    with pytest.raises(DatasetError, match=r"name of the catalogue; the names are .*bridge_v2"):
        open_source(tmp_path / "nothing")

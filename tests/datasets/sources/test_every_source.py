"""What holds for every kind of data set: one interface, random access, copies, and typed errors for any damage."""

from __future__ import annotations

import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.episodes.features import DepthFeature, Feature, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.opening import open_source
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError
from tests.support.datasets.every_source import KINDS


@pytest.fixture(scope="module", params=list(KINDS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | str:
    return KINDS[request.param](tmp_path_factory.mktemp("kind"))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def value(episode: EpisodeView, path: str, feature: Feature, step: int) -> Any:
    if isinstance(feature, ImageFeature):
        return episode.frame(path, step)
    return episode.text(path, step) if isinstance(feature, TextFeature) else episode.array(path)[step]


def test_one_interface(made: Path | str) -> None:
    source = open_source(made)
    assert source.name and len(source) >= 2
    assert isinstance(source, EpisodeSource)
    try:
        assert isinstance(source.embodiment, Embodiment)
    except DatasetError as error:
        assert "robot" in str(error)
    for index in range(len(source)):
        episode = source.episode(index)
        assert isinstance(episode, EpisodeView) and episode.features == source.features
        assert len(episode) == source.episode_length(index) > 0
        assert set(episode.cameras) <= set(episode.observation_keys)
        assert episode.instruction == episode.text("language_instruction", 0)
        for path, feature in source.features.steps.items():
            first = value(episode, path, feature, 0)
            if isinstance(feature, ImageFeature):
                assert first.dtype == np.uint8 and first.shape[2] == feature.channels
                assert first.shape[0] == (feature.height or first.shape[0])
            elif isinstance(feature, TensorFeature | DepthFeature):
                array = episode.array(path)
                assert array.shape[0] == len(episode) and not array.flags.writeable
                if isinstance(feature, TensorFeature):
                    assert array.shape[1:] == feature.shape and array.dtype == feature.numpy_dtype
        for path in source.features.episode:
            episode.value(path)
    source.close()


def test_any_step_in_any_order(made: Path | str) -> None:
    in_order: dict[tuple[int, int, str], Any] = {}
    source = open_source(made)
    steps = source.features.steps
    for index in range(len(source)):
        episode = source.episode(index)
        for step in range(len(episode)):
            in_order |= {(index, step, path): value(episode, path, feature, step) for path, feature in steps.items()}
    keys = list(in_order)
    random.Random(0).shuffle(keys)
    copy = pickle.loads(pickle.dumps(source))
    source.close()
    for number, (index, step, path) in enumerate(keys[:60]):
        found = value((copy if number % 2 else source).episode(index), path, steps[path], step)
        assert np.array_equal(found, in_order[index, step, path], equal_nan=np.asarray(found).dtype.kind == "f")
    source.close()
    copy.close()


def test_what_is_not_there(made: Path | str) -> None:
    source = open_source(made)
    for index in (-1, len(source)):
        with pytest.raises(IndexError):
            source.episode(index)
        with pytest.raises(IndexError):
            source.episode_length(index)
    episode = source.episode(0)
    camera, numbers = episode.cameras[0], "action"
    for step in (-1, len(episode)):
        with pytest.raises(IndexError):
            episode.frame(camera, step)
        with pytest.raises(IndexError):
            episode.text("language_instruction", step)
    with pytest.raises(FeatureError, match="no field 'speed'; they have"):
        episode.array("speed")
    with pytest.raises(FeatureError, match="not numeric"):
        episode.array(camera)
    with pytest.raises(FeatureError, match="is not"):
        episode.frame(numbers, 0)
    with pytest.raises(FeatureError, match="has no field 'who'"):
        episode.value("who")
    with pytest.raises(DatasetError):
        open_source(made, split="nothing")


def read_everything(path: Path | str) -> int:
    """Reads all that can be read; returns how many typed errors there were, and lets others through."""
    errors = 0
    try:
        source = open_source(path)
        count = len(source)
    except (DatasetError, EnvError):
        return 1
    for index in range(count):
        try:
            episode = source.episode(index)
            source.episode_length(index)
            for name, feature in source.features.steps.items():
                value(episode, name, feature, len(episode) - 1)
            for name in source.features.episode:
                episode.value(name)
        except DatasetError as error:
            assert len(str(error)) > 20
            errors += 1
    source.close()
    return errors


SHORTCUTS = {"record_index.json", "conversion.json", ".embodio"}  # nothing depends on them
DAMAGED = [kind for kind in KINDS if kind not in ("rlds behind a url", "described", "lerobot of others")]


@pytest.mark.parametrize("kind", DAMAGED)
def test_any_damage_gives_a_typed_error_or_none(kind: str, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = KINDS[kind](tmp_path / "whole")
    assert isinstance(whole, Path) and read_everything(whole) == 0
    generator = random.Random(kind)
    files = sorted(path for path in ([whole] if whole.is_file() else whole.rglob("*")) if path.is_file())
    files = [path for path in files if not {path.name, path.parent.name} & SHORTCUTS]
    found = 0
    for number in range(16):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        if whole.is_file():
            copy.mkdir()
            shutil.copy(whole, copy / whole.name)
        else:
            shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("record_index.json", ".embodio"))
        chosen = files[number % len(files)] if number < 2 * len(files) else generator.choice(files)
        victim = copy / (whole.name if whole.is_file() else chosen.relative_to(whole))
        content = bytearray(victim.read_bytes())
        if number % 4 == 3:
            content = content[: generator.randrange(len(content))]
        elif number % 4 == 2:
            place = generator.randrange(len(content))
            content[place : place + 8] = generator.randbytes(8)
        else:
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        victim.write_bytes(content)
        found += read_everything(copy / whole.name if whole.is_file() else copy) > 0
    assert found > 0

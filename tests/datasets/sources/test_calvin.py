"""CALVIN folders, written with numpy as the benchmark's recorder writes them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.checks.verify import verify
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.files.restricted_pickle import UnsafePickle
from embodio.datasets.opening import open_source
from embodio.datasets.sources.calvin import CalvinSource

FIRST, STEPS = 358482, 20
SPANS = [(FIRST, FIRST + 4), (FIRST + 3, FIRST + 9), (FIRST + 15, FIRST + 19)]
TEXTS = ["push the pink block", "öffne die Schublade", "turn on the light"]


def step_of(number: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(number)
    return {
        "actions": generator.normal(size=7),
        "rel_actions": np.append(generator.uniform(-1, 1, 6), 1 - 2 * (number % 2)),
        "robot_obs": generator.normal(size=15),
        "scene_obs": generator.normal(size=24),
        "rgb_static": generator.integers(0, 256, (20, 20, 3), dtype=np.uint8),
        "rgb_gripper": generator.integers(0, 256, (8, 8, 3), dtype=np.uint8),
        "rgb_tactile": generator.integers(0, 256, (16, 12, 6), dtype=np.uint8),
        "depth_static": generator.uniform(3, 5, (20, 20)).astype(np.float32),
    }


def annotations() -> dict[str, Any]:
    indx = [(np.int64(first), np.int64(last)) for first, last in SPANS]
    language = {"ann": TEXTS, "task": ["push", "open", "light"], "emb": np.zeros((3, 1, 384), np.float32)}
    return {"language": language, "info": {"episodes": [], "indx": indx}}


def write_calvin(folder: Path, *, told: Any = None) -> Path:
    (folder / "lang_annotations").mkdir(parents=True)
    for number in range(FIRST, FIRST + STEPS):
        np.savez_compressed(folder / f"episode_{number:07d}.npz", **step_of(number))
    np.save(folder / "ep_start_end_ids.npy", np.array([[FIRST, FIRST + 11], [FIRST + 12, FIRST + 19]]))
    np.save(folder / "lang_annotations" / "auto_lang_ann.npy", annotations() if told is None else told)
    return folder


def test_annotated_stretches_are_episodes(tmp_path: Path) -> None:
    write_calvin(tmp_path / "task_D_D" / "training")
    source = open_source(tmp_path / "task_D_D")
    assert isinstance(source, CalvinSource) and source.name == "calvin_task_d_d" and not source.missing
    source = pickle.loads(pickle.dumps(source))
    for index, (first, last) in enumerate(SPANS):
        episode, numbers = source.episode(index), range(first, last + 1)
        assert len(episode) == source.episode_length(index) == len(numbers)
        assert episode.instruction == TEXTS[index]
        assert episode.metadata["task"] == ("push", "open", "light")[index]
        assert set(episode.cameras) == {"rgb_static", "rgb_gripper"}
        for name, path in (("rel_actions", "action"), ("actions", "absolute_action"), ("robot_obs", "robot_obs")):
            assert np.array_equal(episode.array(path), [step_of(number)[name] for number in numbers])
        assert np.array_equal(episode.array("depth_static")[..., 0], [step_of(n)["depth_static"] for n in numbers])
        for step, number in enumerate(numbers):
            assert np.array_equal(episode.frame("rgb_static", step), step_of(number)["rgb_static"])


def test_all_that_was_recorded(tmp_path: Path) -> None:
    training = write_calvin(tmp_path / "training")
    write_calvin(tmp_path / "validation")
    for path, split in ((tmp_path, "training:play"), (tmp_path, "play"), (training, "play")):
        source = open_source(path, split=split)
        assert [source.episode_length(index) for index in range(len(source))] == [12, 8]
        assert source.episode(0).instruction == ""
    assert len(open_source(tmp_path, split="validation")) == 3
    for split in ("test", "training:all", "validation:play:x"):
        with pytest.raises(DatasetError, match="no split"):
            open_source(tmp_path, split=split)
    with pytest.raises(DatasetError, match="another split"):
        open_source(training, split="validation")
    (training / "lang_annotations" / "auto_lang_ann.npy").unlink()
    assert len(open_source(training)) == 2


def test_it_is_described_converted_and_verified(tmp_path: Path) -> None:
    folder, described = write_calvin(tmp_path / "debug" / "training"), tmp_path / "calvin.yaml"
    described.write_text(propose(open_source(folder), folder))
    source = open_source(described)
    assert source.embodiment.control_hz == 30 and source.embodiment.action.gripper == "closed_is_high"
    assert source.episode(1).instruction == TEXTS[1] and source.episode(0).array("state").shape == (5, 15)
    assert {finding.check: finding.status for finding in verify(source, every_frame=True)}["images"] == "ok"
    copy = open_source(convert(source, tmp_path / "copy").folder)
    assert copy.episode(2).instruction == TEXTS[2]
    assert np.array_equal(copy.episode(2).frame("rgb_static", 4), step_of(FIRST + 19)["rgb_static"])


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return __import__, ("antigravity",)


def test_instructions_are_never_run(tmp_path: Path) -> None:
    folder = write_calvin(tmp_path / "training", told=np.array(annotations() | {"x": Evil()}, object))
    with pytest.raises(UnsafePickle, match="__import__"):
        open_source(folder)


@pytest.mark.parametrize("told", [
    {"language": {"ann": TEXTS}, "info": {}},
    {"language": {"ann": TEXTS}, "info": {"indx": [(1, 2)]}},
    {"language": {"ann": ["a"]}, "info": {"indx": [(5, 2)]}},
    {"language": {"ann": ["a"]}, "info": {"indx": ["ab"]}},
    {"language": {"ann": ["a"]}, "info": {"indx": [(0, 10**12)]}},
    {"language": {"ann": ["a"]}, "info": {"indx": [(10**30, 10**30 + 1)]}},
    [1, 2],
    np.zeros(3),
])  # fmt: skip
def test_damaged_lists_are_named(told: Any, tmp_path: Path) -> None:
    folder = write_calvin(tmp_path / "training", told=told)
    with pytest.raises(CorruptRecordError, match="auto_lang_ann"):
        open_source(folder)


def test_steps_that_were_not_fetched_or_are_damaged(tmp_path: Path) -> None:
    folder = write_calvin(tmp_path / "training")
    (folder / f"episode_{FIRST + 7:07d}.npz").unlink()
    (folder / f"episode_{FIRST + 16:07d}.npz").write_bytes(b"PK nonsense")
    source = open_source(folder)
    assert source.missing == (  # type: ignore[attr-defined]
        f"files of 1 of 3 episodes were not all fetched; the first one goes from episode_{FIRST + 3:07d}.npz to "
        f"episode_{FIRST + 9:07d}.npz",
    )
    assert source.episode(0).array("action").shape == (5, 7)
    for index in (1, 2):
        with pytest.raises(CorruptRecordError, match="rel_actions cannot be read"):
            source.episode(index).array("action")
    np.savez(folder / f"episode_{FIRST:07d}.npz", **step_of(FIRST), extra=np.array([{"a": 1}], object))
    assert "Python objects" in open_source(folder).features.unread["steps/observation/extra"]
    for file in folder.glob("episode_*"):
        file.unlink()
    with pytest.raises(DatasetError, match="holds no steps"):
        open_source(folder)

"""VIMA's layout in folders, tars and zips, and pickles that want to run something."""

from __future__ import annotations

import os
import pickle
import re
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.episodes.recorded.images import prompt_field, prompt_of
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.files import file_trees
from embodio.datasets.files.restricted_pickle import PickledRecord, UnsafePickle, read_pickle
from embodio.datasets.opening import open_source
from embodio.datasets.sources.vima import VimaSource
from embodio.envs import embodiment_of
from embodio.envs.vima.robot import from_action
from tests.support.datasets.vima_files import write_episode

HERE = Path("x.pkl")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("vima")
    for task, number, length in (("rotate", 0, 1), ("rotate", 1, 2), ("follow", 0, 3)):
        write_episode(root / "data" / task / f"{number:06d}", length, 10 + number)
    with tarfile.open(root / "rotate.tar", "w") as archive:
        archive.add(root / "data" / "rotate", "rotate")
    with tarfile.open(root / "rotate.tar.xz", "w:xz", preset=0) as archive:
        archive.add(root / "data" / "rotate", "rotate")
    with zipfile.ZipFile(root / "rotate.zip", "w") as archive:
        for file in sorted((root / "data" / "rotate").rglob("*.*")):
            archive.write(file, file.relative_to(root / "data" / "rotate"))
    return root


@pytest.mark.parametrize("name", ["data/rotate", "rotate.tar", "rotate.tar.xz", "rotate.zip"])
def test_all_containers_give_the_same(name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = open_source(root / name)
    assert isinstance(source, VimaSource) and isinstance(source, EpisodeSource)
    source = pickle.loads(pickle.dumps(source))
    assert source.tasks == ("rotate",) and [source.episode_length(i) for i in range(len(source))] == [1, 2]
    episode = source.episode(1)
    raw = pickle.loads((root / "data/rotate/000001/action.pkl").read_bytes())
    assert np.array_equal(episode.array("recorded_action"), np.concatenate(list(raw.values()), axis=1))
    actions = episode.array("action")
    assert actions.shape == (2, 7) and (actions[:, 0] == 0).all() and actions[:, [3, 6]].max() < 360
    for step, action in enumerate(actions):  # what the environment would hand to the benchmark is what was recorded
        for name, part in from_action(action).items():
            assert np.allclose(part * np.sign(part[-1]), raw[name][step] * np.sign(raw[name][step][-1]), atol=1e-6)
    assert episode.array("state").tolist() == [[0.0], [0.0]]
    assert episode.array("segm_front").shape == (2, 128, 256)
    assert [int(episode.frame("top", step).mean()) for step in range(2)] == [5, 15]
    assert int(episode.metadata["final_top"].mean()) == 25
    assert episode.instruction == "Rotate the {thing} 90 degrees." and episode.metadata["seed"] == 11
    asset = episode.prompt.assets["thing"]
    assert asset.kind == "object" and asset.rgb["front"].shape == (128, 256, 3) and asset.objects[0]["obj_id"] == 1
    shown = prompt_of(episode)
    assert [shown[0], shown[2]] == ["Rotate the", "90 degrees."] and np.array_equal(shown[1], asset.rgb["front"])
    assert np.array_equal(prompt_of(episode, "top")[1], asset.rgb["top"])
    assert source.embodiment == embodiment_of("vima/rotate")
    source.close()


def test_tasks_are_splits(root: Path) -> None:
    assert [VimaSource(root / "data").episode(i).metadata["task"] for i in range(3)] == ["follow", "rotate", "rotate"]
    assert len(VimaSource(root / "data", split="follow")) == 1
    with pytest.raises(DatasetError, match="no task 'twist'; it has follow, rotate"):
        VimaSource(root / "data", split="twist")


def with_heights(folder: Path) -> None:
    """Gives positions of an episode a third number, as the published data have it."""
    action = pickle.loads((folder / "action.pkl").read_bytes())
    for name in ("pose0_position", "pose1_position"):
        action[name] = np.concatenate([action[name], np.full((len(action[name]), 1), 0.03)], axis=1)
    (folder / "action.pkl").write_bytes(pickle.dumps(action))


def test_the_published_data_have_heights_and_other_names(tmp_path: Path) -> None:
    names = {"simple_manipulation": "visual_manipulation", "same_profile": "same_shape"}
    for published in names:
        write_episode(tmp_path / "new" / published / "000000", 3, 7)
        write_episode(tmp_path / "old" / published / "000000", 3, 7)
        with_heights(tmp_path / "new" / published / "000000")
    new, old = VimaSource(tmp_path / "new"), VimaSource(tmp_path / "old")
    assert new.tasks == tuple(sorted(names.values()))
    for number in range(2):
        for field in ("action", "recorded_action"):
            assert np.array_equal(new.episode(number).array(field), old.episode(number).array(field))
    for published, task in names.items():
        for split in (published, task):
            (episode,) = VimaSource(tmp_path / "new", split=split)._places
            assert episode.task == task
    assert VimaSource(tmp_path / "new" / "same_profile").name == "vima_same_shape"


def test_only_positions_may_have_a_third_number(tmp_path: Path) -> None:
    write_episode(tmp_path / "rotate" / "000000", 3, 7)
    path = tmp_path / "rotate" / "000000" / "action.pkl"
    action = pickle.loads(path.read_bytes())
    for name, columns in (("pose0_position", 4), ("pose0_position", 1), ("pose1_rotation", 5)):
        path.write_bytes(pickle.dumps(action | {name: np.zeros((3, columns), np.float32)}))
        with pytest.raises(CorruptRecordError, match=name):
            VimaSource(tmp_path).episode(0).array("action")


def test_damage_is_named(root: Path, tmp_path: Path) -> None:
    write_episode(tmp_path / "rotate" / "000000", 2, 3)
    (tmp_path / "rotate" / "000000" / "rgb_front" / "2.jpg").unlink()
    with pytest.raises(CorruptRecordError, match="says 2 steps, but there are 1"):
        VimaSource(tmp_path).episode(0)
    cut = tmp_path / "cut.tar"
    cut.write_bytes((root / "rotate.tar").read_bytes()[:-30000])
    with pytest.raises(CorruptRecordError):
        VimaSource(cut)
    broken = tmp_path / "broken.zip"
    broken.write_bytes((root / "rotate.zip").read_bytes()[:5000])
    with pytest.raises(CorruptRecordError, match="not a zip"):
        VimaSource(broken)


def test_rlds_keeps_the_prompt_images(root: Path, tmp_path: Path) -> None:
    source = VimaSource(root / "data", split="rotate")
    convert(source, tmp_path / "rlds")
    converted = open_source(tmp_path / "rlds")
    assert converted.embodiment == source.embodiment
    for number in range(2):
        before, after = source.episode(number), converted.episode(number)
        for view in ("front", "top"):
            first, second = prompt_of(before, view), prompt_of(after, view)
            assert len(first) == len(second) == 3
            assert np.array_equal(first[1], second[1]) and [first[0], first[2]] == [second[0], second[2]]
        for name in ("action", "recorded_action", "state"):
            assert np.array_equal(before.array(name), after.array(name))


def test_prompt_images_that_do_not_fit(root: Path) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    for text in ("nothing", " ".join(f"{{a{i}}}" for i in range(13))):
        with pytest.raises(FeatureError, match="where 1 to 12 can be kept"):
            prompt_field(text, "front", {f"a{i}": image for i in range(13)})
    with pytest.raises(FeatureError, match="not seen from 'side'; there are front, top"):
        prompt_of(VimaSource(root / "data").episode(0), "side")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pose1_position", [0.9, 0.0], r"pose1_x goes from 0.9 to 0.9, beyond \[0.25, 0.75\]"),
        ("pose1_position", [np.nan, 0.0], "not finite"),
        ("pose0_rotation", [0.5, 0.0, 0.0, 0.8], "tilts"),
        ("pose0_rotation", [0.0, 0.0, 0.0, 0.0], "is zero"),
    ],
)
def test_actions_that_no_robot_can_do(name: str, value: list[float], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "rotate" / "000000"
    write_episode(folder, 1, 3)
    action = pickle.loads((folder / "action.pkl").read_bytes())
    action[name][0] = value
    (folder / "action.pkl").write_bytes(pickle.dumps(action))
    with pytest.raises(CorruptRecordError, match=message):
        VimaSource(tmp_path).episode(0).array("action")


def test_both_views_must_be_there(tmp_path: Path) -> None:
    write_episode(tmp_path / "rotate" / "000000", 2, 3)
    (tmp_path / "rotate" / "000000" / "rgb_top" / "2.jpg").unlink()
    with pytest.raises(CorruptRecordError, match="says 2 steps, but there are 1"):
        VimaSource(tmp_path).episode(0)


class Attack:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        Attack(os.system, "touch /tmp/embodio-owned"),
        Attack(eval, "1"),
        Attack(__import__, "os"),
        Attack(getattr, 1, "x"),
    ],
)
def test_nothing_is_run(attack: Attack) -> None:
    with pytest.raises(UnsafePickle, match="which is not plain data"):
        read_pickle(pickle.dumps({"a": [attack]}), HERE, ("vima_bench",))
    assert not Path("/tmp/embodio-owned").exists()


def test_unknown_classes_become_inert_records() -> None:
    import functools

    found = read_pickle(
        pickle.dumps({"f": functools.partial(int, "3")}).replace(b"builtins", b"functool"),
        HERE,
        ("functools", "functool"),
    )
    assert isinstance(found["f"], PickledRecord) and not callable(found["f"])


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@settings(max_examples=60)
@given(plain, st.integers(0, 5))
def test_plain_values_are_read(value: Any, protocol: int) -> None:
    assert read_pickle(pickle.dumps(value, protocol), HERE, ()) == value


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_are_read(protocol: int) -> None:
    if protocol == 5:
        pytest.importorskip("numpy")
    values = {
        "a": np.arange(6, dtype=">f4").reshape(2, 3),
        "b": np.asfortranarray(np.arange(6).reshape(3, 2)),
        "c": np.float32(2.5),
        "d": OrderedDict(x=np.array([], np.uint8)),
        "e": np.array(["ab", "c"]),
    }
    found = read_pickle(pickle.dumps(values, min(protocol, 4)), HERE, ())
    for name in "abe":
        assert np.array_equal(found[name], values[name]) and found[name].dtype.kind == values[name].dtype.kind
    assert found["c"] == 2.5 and found["d"]["x"].shape == (0,)


def test_arrays_of_objects_are_refused() -> None:
    with pytest.raises((CorruptRecordError, UnsafePickle)):
        read_pickle(pickle.dumps(np.array([{}, []], dtype=object), 4), HERE, ())


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_noise_is_an_error_or_plain(data: bytes) -> None:
    try:
        read_pickle(data, HERE, ())
    except DatasetError as error:
        assert "x.pkl" in str(error)


def test_zips_that_cannot_be_read_are_named(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (root / "rotate.zip").read_bytes()
    for name, local, central, value in (("encrypted", 6, 8, 1), ("unknown", 8, 10, 97)):
        changed = bytearray(content)
        for mark, field in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
            for found in re.finditer(re.escape(mark), content):
                changed[found.start() + field : found.start() + field + 2] = value.to_bytes(2, "little")
        (tmp_path / f"{name}.zip").write_bytes(bytes(changed))
        with pytest.raises(CorruptRecordError, match=r"action\.pkl cannot be read"):
            VimaSource(tmp_path / f"{name}.zip").episode(0)
    monkeypatch.setattr(file_trees, "_LARGEST", 10)
    with pytest.raises(CorruptRecordError, match="too many for an episode"):
        VimaSource(root / "rotate.zip").episode(0)


@pytest.mark.parametrize(("key", "value"), [("seed", []), ("prompt", None), ("steps", "2"), ("success", 1.5)])
def test_what_an_episode_says_of_itself_has_a_type(key: str, value: object, tmp_path: Path) -> None:
    write_episode(tmp_path / "rotate" / "000000", 2, 3)
    path = tmp_path / "rotate" / "000000" / "trajectory.pkl"
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) | {key: value}))
    with pytest.raises(CorruptRecordError, match=f"{key} is of the type"):
        VimaSource(tmp_path).episode(0)

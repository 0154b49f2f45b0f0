"""What inspect proposes opens as it is, whatever the layout, and names what it guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.inspect_source import _state, propose
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.features import EpisodeFeatures, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.train.commands.data.data import main
from tests.support.datasets.rich_data import write_rich
from tests.support.datasets.robomimic_files import write_robomimic
from tests.support.datasets.toy import write_toy_dataset
from tests.support.datasets.vima_files import write_episode


def write_odd(folder: Path) -> Path:
    """A data set of a kind that nobody has seen: odd names, no robot, an instruction of the episode."""
    steps = {
        "sensors/kamera": ImageFeature(8, 10, 3, "png"),
        "wrist/kamera": ImageFeature(8, 10, 3, "png"),
        "observation_joints": TensorFeature("float32", (4,)),
        "robot_action_vec": TensorFeature("float64", (7,)),
        "is_first": TensorFeature("bool"),
    }
    episode = {"language_goal": TextFeature(), "worked": TensorFeature("bool")}
    generator = np.random.default_rng(1)
    with RLDSWriter(folder, "odd", EpisodeFeatures(steps, episode)) as writer:
        for number in range(3):
            rows = [
                {
                    "sensors/kamera": np.full((8, 10, 3), 10 * step, np.uint8),
                    "wrist/kamera": np.full((8, 10, 3), 100 + step, np.uint8),
                    "observation_joints": generator.normal(size=4).astype(np.float32),
                    "robot_action_vec": np.append(generator.normal(size=6), float(step % 2)),
                    "is_first": step == 0,
                }
                for step in range(4)
            ]
            writer.add(rows, {"language_goal": f"stack {number}", "worked": number > 0})
    return folder


def reopened(path: Path | str, tmp_path: Path) -> tuple[EpisodeSource, str]:
    source = open_source(path)
    text = propose(source, path)
    proposal = tmp_path / "proposal.yaml"
    proposal.write_text(text)
    found = open_source(proposal)
    assert len(found) == len(source)
    embodiment = found.embodiment
    assert set(found.episode(0).cameras) == {camera.name for camera in embodiment.cameras} != set()
    assert found.episode(0).array("action").shape[1] == len(embodiment.action.dimensions)
    if embodiment.state:
        assert found.episode(0).array("state").shape[1] == len(embodiment.state)
    assert found.episode(0).instruction
    return found, text


def test_odd_names(tmp_path: Path) -> None:
    found, text = reopened(write_odd(tmp_path / "odd"), tmp_path)
    assert found.episode(2).instruction == "stack 2"
    assert found.episode(0).cameras == ("sensors_kamera", "wrist_kamera")
    assert found.embodiment.action.gripper == "closed_is_high" and "embodiment.action.gripper" in text
    assert found.embodiment.action.dimensions[-1].kind == "binary"
    assert "action: robot_action_vec" in text and "{worked: true}" in text


@pytest.mark.parametrize(("numbers", "encoding", "text"), [
    ([112, 195, 169, 0, 0], "bytes", "pé"),
    ([112, 233, 0, 0, 0], "codepoints", "pé"),
    ([112, 8364, 0, 7, 0], "codepoints", "p€"),
    ([112, 113, 114, 115, 116], "bytes", "pqrst"),
])  # fmt: skip
def test_text_as_numbers(numbers: list[int], encoding: str, text: str, tmp_path: Path) -> None:
    features = EpisodeFeatures(
        {"action": TensorFeature("float32", (2,)), "observation/instruction": TensorFeature("int32", (5,))}, {}
    )
    with RLDSWriter(tmp_path / "said", "said", features) as writer:
        for said in (numbers, [255, 254, 0, 0, 0], [-1, 0, 0, 0, 0]):
            writer.add([{"action": np.zeros(2, np.float32), "observation/instruction": np.array(said, np.int32)}], {})
    described = tmp_path / "said.yaml"
    described.write_text(propose(open_source(tmp_path / "said"), tmp_path / "said"))
    source = open_source(described)
    assert f"encoding: {encoding}" in described.read_text() and source.episode(0).instruction == text
    if encoding == "bytes":
        with pytest.raises(FeatureError, match=r"observation/instruction at step 0: bytes that are not UTF-8"):
            _ = source.episode(1).instruction
    with pytest.raises(FeatureError, match="observation/instruction at step 0: numbers that are not"):
        _ = source.episode(2).instruction


def test_robomimic(tmp_path: Path) -> None:
    found, text = reopened(write_robomimic(tmp_path / "square.hdf5"), tmp_path)
    action = found.embodiment.action
    assert (action.mode, action.rotation, action.gripper) == ("delta", "axis_angle", "closed_is_high")
    assert found.embodiment.control_hz == 25 and len(found.embodiment.state) == 9
    assert "control_hz" not in text.partition("name:")[0]
    assert found.episode(0).instruction == "nutassemblysquare"


def test_layouts_that_know_their_robot(tmp_path: Path) -> None:
    write_episode(tmp_path / "vima" / "rotate" / "000000", 2, 3)
    toy = write_toy_dataset(tmp_path / "toy", episodes=2, steps=3)
    convert(open_source(toy), tmp_path / "lerobot", ConversionSettings("lerobot", images="png"))
    for path in (tmp_path / "vima", toy, tmp_path / "lerobot", f"file://{toy}"):
        found, text = reopened(path, tmp_path)
        assert found.embodiment == open_source(path).embodiment
        assert "Guessed" not in text


def test_lerobot_of_others(tmp_path: Path) -> None:
    toy = write_toy_dataset(tmp_path / "toy", episodes=2, steps=3)
    convert(open_source(toy), tmp_path / "lerobot", ConversionSettings("lerobot", images="png"))
    (tmp_path / "lerobot" / "meta" / "embodio.json").unlink()
    found, _ = reopened(tmp_path / "lerobot", tmp_path)
    assert found.embodiment.control_hz == open_source(toy).embodiment.control_hz
    assert [row.name for row in found.embodiment.action.dimensions][:2] == ["x", "turn"]


def test_nan_and_everything_at_once(tmp_path: Path) -> None:
    found, _ = reopened(write_rich(tmp_path / "rich"), tmp_path)
    assert found.episode(0).instruction == "push"


@pytest.mark.parametrize("form", ["{}", "source={}"])
def test_a_path_may_be_given_plainly(form: str, tmp_path: Path) -> None:
    folder = write_odd(tmp_path / "an odd (name)")
    argument = form.format(folder) if form == "{}" else f"source='{folder}'"
    assert main(["inspect", argument, f"out={tmp_path / 'odd.yaml'}"]) == 0
    assert len(open_source(tmp_path / "odd.yaml")) == 3


def test_a_guess_stays_marked_until_somebody_confirms_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, text = reopened(write_odd(tmp_path / "odd"), tmp_path)
    guessed = ("action.mode", "action.rotation", "action.gripper", "action.frame", "action.controller", "control_hz")
    proposal, target = tmp_path / "proposal.yaml", ConversionSettings("lerobot", images="png")
    for name in (*guessed, "action", "action.dimensions"):
        assert name in open_source(proposal).embodiment.guessed
    assert "embodiment.action.rotation" in caplog.text and "confirmed by nobody" in caplog.text
    convert(open_source(proposal), tmp_path / "rlds")
    convert(open_source(tmp_path / "rlds"), tmp_path / "lerobot", target)
    for copy in (tmp_path / "rlds", tmp_path / "lerobot"):
        caplog.clear()
        found, again = reopened(copy, tmp_path)
        assert set(guessed) < set(found.embodiment.guessed) and "embodiment.action.rotation" in caplog.text
        assert "embodiment.action.rotation: guessed earlier" in again

    data = yaml.safe_load(text)
    data["guessed"] = ["embodiment.action.gripper"]  # the others are confirmed
    proposal.write_text(yaml.safe_dump(data))
    convert(open_source(proposal), tmp_path / "half")
    assert open_source(tmp_path / "half").embodiment.guessed == ("action.gripper",)
    assert not open_source(tmp_path / "half").embodiment.differences(open_source(tmp_path / "rlds").embodiment)
    del data["guessed"]
    proposal.write_text(yaml.safe_dump(data))
    caplog.clear()
    assert not open_source(proposal).embodiment.guessed and not caplog.text
    data["guessed"] = ["action.gripper"]
    proposal.write_text(yaml.safe_dump(data))
    with pytest.raises(DatasetError, match=r"'action\.gripper' is not one of"):
        open_source(proposal)


def test_a_guessed_instruction_is_marked_in_copies(tmp_path: Path) -> None:
    found, _ = reopened(write_robomimic(tmp_path / "square.hdf5"), tmp_path)
    assert "instruction" in found.embodiment.guessed and "action.mode" not in found.embodiment.guessed
    convert(found, tmp_path / "out")
    assert "instruction" in open_source(tmp_path / "out").embodiment.guessed


@pytest.mark.parametrize(("names", "state"), [
    (("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object"), range(3)),
    (("eef_pos", "eef_quat", "gripper_pos", "joint_pos"), range(3)),
    (("robot0_eef_pos", "robot0_eef_rot_axis_angle", "robot0_gripper_width", "robot0_demo_start_pose"), range(3)),
    (("robot0_eef_pos", "robot0_gripper_qpos", "robot1_eef_pos", "robot1_eef_quat", "robot1_gripper_qpos"), range(5)),
    (("ee_pos", "ee_ori", "gripper_states", "joint_states"), range(3)),
    (("eef_pos", "force"), range(2)),
])  # fmt: skip
def test_names_of_a_hand_make_the_state(names: tuple[str, ...], state: range) -> None:
    steps = {f"observation/{name}": TensorFeature("float32", (3,)) for name in names}
    assert _state(steps) == [f"observation/{names[place]}" for place in state]

"""Several robots of one network in one checkpoint: each acts as on its own, is picked by what it is, and is checked."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from embodio.agent import Agent, AgentError, Checkpoint, PolicyFormat, load_checkpoint, save_checkpoint
from embodio.agent.checkpoint import checkpoint_files
from embodio.agent.errors import CheckpointError
from embodio.agent.format.robot_files import read_robots, robot_names, write_robots
from embodio.agent.format.robot_formats import MOST_ROBOTS, RobotFormats
from embodio.envs.errors import EmbodimentMismatch
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import SUMS_FILE, read_sums, sums_command
from tests.support.agent.policies import make_format
from tests.support.agent.robots import observation_of
from tests.support.agent.two_robots import arm_and_cart, cart, cart_format, network_of

ARM_FILES = [f"robots/arm/{name}.json" for name in ("policy", "embodiment", "statistics")]


@pytest.fixture(scope="module")
def robots() -> RobotFormats:
    return arm_and_cart()


@pytest.fixture(scope="module")
def model(robots: RobotFormats) -> UnifiedIO2:
    return network_of(robots)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, model: UnifiedIO2, robots: RobotFormats) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("robots") / "both", model, robots)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "copy")


def actions(agent: Agent, steps: int = 5) -> list[np.ndarray]:
    agent.reset("go to the block")
    return [agent.act(observation_of(agent.format, step)) for step in range(steps)]


def resealed(folder: Path) -> None:
    (folder / SUMS_FILE).unlink(missing_ok=True)
    subprocess.run(sums_command(folder), cwd=folder, shell=True, check=True)


@pytest.mark.parametrize("name", ["arm", "cart"])
def test_each_robot_acts_as_an_agent_of_its_own_checkpoint(
    name: str, saved: Path, tmp_path: Path, model: UnifiedIO2, robots: RobotFormats
) -> None:
    alone = Agent.load(save_checkpoint(tmp_path / "alone", model, robots[name]))
    expected = actions(alone)
    for wanted in (name, robots[name].embodiment, robots[name].embodiment.name):
        agent = Agent.load(saved, embodiment=wanted)
        assert agent.robot == agent.info["robot"] == name
        np.testing.assert_array_equal(actions(agent), expected)
    assert agent.info["sha256"]["model.safetensors"] == alone.info["sha256"]["model.safetensors"]
    assert agent.info["sha256"][f"robots/{name}/statistics.json"] == alone.info["sha256"]["statistics.json"]


def test_what_is_saved_is_loaded(saved: Path, robots: RobotFormats) -> None:
    loaded = load_checkpoint(saved)
    assert list(loaded.robots) == ["arm", "cart"] and loaded.robots.named and not loaded.robots.default
    for name, robot in robots.items():
        found = loaded.robots[name]
        assert (found.config, found.embodiment, found.statistics, found.vocabulary) == (
            robot.config,
            robot.embodiment,
            robot.statistics,
            robot.vocabulary,
        )
    assert set(read_sums(saved) or {}) == set(checkpoint_files(saved)) and set(ARM_FILES) < set(checkpoint_files(saved))
    assert not list(saved.glob("policy.json"))


def test_without_a_name_several_robots_ask_which(saved: Path, tmp_path: Path, model: UnifiedIO2) -> None:
    with pytest.raises(CheckpointError, match=r"several robots: arm \(toy\), cart \(toys/cart\); .*such as 'arm'"):
        Agent.load(saved)
    with pytest.raises(CheckpointError, match="several robots"):
        _ = load_checkpoint(saved).format
    robots = RobotFormats({"arm": make_format(), "cart": cart_format()}, default="cart")
    both = save_checkpoint(tmp_path / "default", model, robots)
    assert Agent.load(both).robot == "cart" and Agent.load(both, embodiment="arm").robot == "arm"
    named = save_checkpoint(tmp_path / "named", model, {"cart": cart_format()})
    assert Agent.load(named).robot == "cart" and (named / "robots" / "cart" / "policy.json").is_file()


def test_the_nearest_robot_of_another_embodiment_is_named(saved: Path) -> None:
    slow = dataclasses.replace(cart(), control_hz=3.0)
    with pytest.raises(EmbodimentMismatch) as told:
        Agent.load(saved, embodiment=slow)
    assert "control_hz: expected 5.0, found 3.0" in str(told.value) and "wheel" not in str(told.value)
    assert "arm (toy), cart (toys/cart)" in str(told.value) and "is cart; make the environment" in str(told.value)
    with pytest.raises(EmbodimentMismatch, match=r"no robot 'card', only arm \(toy\), cart .*mean 'cart'\?"):
        Agent.load(saved, embodiment="card")
    with pytest.raises(EmbodimentMismatch, match="no robot"):
        Agent.load("lift-nano", embodiment="../lift-nano")
    with pytest.raises(AgentError, match="got a dict, expected an Embodiment or the name of a robot"):
        Agent.load(saved, embodiment=cart().to_dict())  # type: ignore[arg-type]


def test_one_embodiment_with_two_policies_is_picked_by_name(model: UnifiedIO2) -> None:
    formats = {"fine": cart_format(), "coarse": cart_format(action_bins=5)}
    checkpoint = Checkpoint(model, formats)
    for wanted in (cart(), "toys/cart"):
        with pytest.raises(CheckpointError, match=r"fine \(toys/cart\), coarse .*by its name"):
            Agent(checkpoint, embodiment=wanted)
    assert Agent(checkpoint, embodiment="coarse").format.config.action_bins == 5
    assert Agent(Checkpoint(model, RobotFormats(formats, "coarse")), embodiment=cart()).robot == "coarse"


def test_a_checkpoint_of_today_is_one_robot(saved: Path) -> None:
    agent = Agent.load("lift-nano")
    assert agent.robot == agent.embodiment.name == "robosuite/panda-osc-pose" and "robot" not in agent.info
    assert Agent.load("lift-nano", embodiment=agent.robot).info == agent.info
    assert set(agent.info["sha256"]) == {"model.safetensors", "statistics.json"}


@pytest.mark.parametrize("name", ARM_FILES)
def test_damage_to_one_robot_is_named_whoever_acts(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for content in (whole.replace(b'"', b"'", 1), whole[:-5], b"", (folder / name.replace("arm", "cart")).read_bytes()):
        (folder / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"{name} is damaged or not the file.*find \* -type f"):
            Agent.load(folder, embodiment="cart")
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} missing"):
        Agent.load(folder, embodiment="cart")


def test_a_robot_that_is_gone_or_new_is_named(folder: Path) -> None:
    shutil.copytree(folder / "robots" / "arm", folder / "robots" / "spare")
    with pytest.raises(CheckpointError, match=r"robots/spare/policy\.json does not belong to this checkpoint"):
        load_checkpoint(folder)
    resealed(folder)
    assert list(load_checkpoint(folder).robots) == ["arm", "cart", "spare"]
    shutil.rmtree(folder / "robots" / "arm")
    with pytest.raises(CheckpointError, match=r"robots/arm/policy\.json, .* missing"):
        load_checkpoint(folder)
    resealed(folder)
    assert list(load_checkpoint(folder).robots) == ["cart", "spare"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("robots/arm/policy.json", b"{}"),
        ("robots/arm/policy.json", b"[" * 100_000),
        ("robots/arm/embodiment.json", b'{"name": 3}'),
        ("robots/arm/statistics.json", b"\xff"),
        ("robots.json", b"[]"),
        ("robots.json", b'{"default": "../arm"}'),
        ("robots.json", b'{"default": ["arm"]}'),
        ("robots.json", b'{"default": "arm", "more": 1}'),
    ],
)
def test_what_is_malformed_has_a_name(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    resealed(folder)
    with pytest.raises(CheckpointError, match=rf"{name}.*fetch or save the checkpoint again"):
        load_checkpoint(folder)


def test_robots_in_both_places_are_refused(folder: Path) -> None:
    shutil.copy(folder / "robots" / "arm" / "policy.json", folder)
    resealed(folder)
    with pytest.raises(CheckpointError, match=r"policy\.json and robots/ both describe robots"):
        load_checkpoint(folder)


UNSAFE = ["", ".", "..", "../x", "a/b", "/etc", "a\\b", "C:x", "a\nb", "a\x00b", "x" * 256, "\ud800", ".hidden"]


@pytest.mark.parametrize("name", UNSAFE)
def test_names_that_lead_elsewhere_are_refused(name: str, folder: Path, tmp_path: Path, model: UnifiedIO2) -> None:
    with pytest.raises(CheckpointError, match="robots: the name"):
        save_checkpoint(tmp_path / "new", model, {"arm": make_format(), name: cart_format()})
    assert not (tmp_path / "new").exists() and not (tmp_path / "x").exists()
    if name and "/" not in name and not set(name) & set("\\\n\x00\ud800"):  # what a line of SHA256SUMS can hold
        with (folder / SUMS_FILE).open("a") as sums:
            sums.write(f"{'0' * 64}  robots/{name}/policy.json\n")
        with pytest.raises(CheckpointError, match=f"{folder}: robots: the name"):
            load_checkpoint(folder)


@given(st.text(st.sampled_from("./\\a{}%\x00~:"), min_size=1))
def test_whatever_is_taken_stays_in_a_folder_of_its_own(name: str) -> None:
    try:
        RobotFormats({name: make_format()})
    except CheckpointError:
        return
    root = Path("/some/robots")
    assert (root / name).resolve().parent == root and (root / name).resolve().name == name


def test_links_out_of_the_checkpoint_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "robots" / "arm", tmp_path / "elsewhere")
    (folder / "robots" / "arm").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=f"leads through a link to {tmp_path / 'elsewhere'}"):
        load_checkpoint(folder)


def test_robots_of_other_vocabularies_or_none_are_refused() -> None:
    arm, model = make_format(), io.BytesIO()
    lines = iter(["the red cube is on the table", "lift the cube", "0123456789"])
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, vocab_size=300, byte_fallback=True, minloglevel=2,
        model_type="bpe", hard_vocab_limit=False,
    )  # fmt: skip
    same, other = (Vocabulary.from_bytes(content) for content in (arm.vocabulary.to_bytes(), model.getvalue()))
    assert RobotFormats({"a": arm, "b": PolicyFormat(arm.config, arm.embodiment, arm.statistics, same)})
    with pytest.raises(CheckpointError, match="b have another vocabulary than a; one network has one"):
        RobotFormats({"a": arm, "b": PolicyFormat(arm.config, arm.embodiment, arm.statistics, other)})
    with pytest.raises(CheckpointError, match="expected 1 to"):
        RobotFormats({})
    with pytest.raises(CheckpointError, match="default: 'c' is not among the robots a"):
        RobotFormats({"a": arm}, default="c")


def test_more_than_two_hundred_robots_are_fast_and_too_many_refused(tmp_path: Path) -> None:
    arm = make_format()
    many = RobotFormats({f"arm-{place:03}": arm for place in range(300)})
    write_robots(tmp_path, many)
    begin = time.monotonic()
    found = read_robots(tmp_path, robot_names(tmp_path), arm.vocabulary)
    assert list(found) == list(many)
    with pytest.raises(EmbodimentMismatch, match="and 288 more is arm-000"):
        found.pick(cart())
    assert time.monotonic() - begin < 60  # it takes one second
    for place in range(MOST_ROBOTS + 1):
        (tmp_path / "robots" / f"empty-{place}").mkdir()
    with pytest.raises(CheckpointError, match=rf"robots: got {MOST_ROBOTS + 301}, expected 1 to {MOST_ROBOTS}"):
        robot_names(tmp_path)


@pytest.fixture
def as_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("as_errors")
def test_only_the_guesses_of_the_robot_that_acts_are_warned_of(tmp_path: Path, model: UnifiedIO2) -> None:
    guessed = dataclasses.replace(cart(), guessed=("action.mode",))
    plain = cart_format()
    unsure = PolicyFormat(plain.config, guessed, plain.statistics, plain.vocabulary)
    folder = save_checkpoint(tmp_path / "unsure", model, {"arm": make_format(), "cart": unsure})
    assert Agent.load(folder, embodiment="arm").robot == "arm"
    for load in (lambda: Agent.load(folder, embodiment=cart()), lambda: load_checkpoint(folder)):
        with pytest.warns(UserWarning, match=f"robots{os.sep}cart: guessed and never confirmed: action.mode"):
            load()


def test_the_default_is_a_file_of_the_checkpoint(tmp_path: Path, model: UnifiedIO2, robots: RobotFormats) -> None:
    folder = save_checkpoint(tmp_path / "default", model, RobotFormats(robots, default="arm"))
    assert json.loads((folder / "robots.json").read_text()) == {"default": "arm"}
    (folder / "robots.json").write_text('{"default": "cart"}')
    with pytest.raises(CheckpointError, match=r"robots\.json is damaged or not the file"):
        load_checkpoint(folder)
    (folder / "robots.json").unlink()
    with pytest.raises(CheckpointError, match=r"robots\.json missing"):
        load_checkpoint(folder)

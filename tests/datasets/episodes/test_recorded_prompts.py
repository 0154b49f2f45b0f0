"""What an agent hears and is told is recorded: read again, tasks make the very Examples that it acted on."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.agent import PolicyFormat
from embodio.agent.format.observation import read_observation
from embodio.agent.planning.session import Session
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.recorded.images import instruction_for, prompt_of
from embodio.datasets.episodes.recorded.prompt import has_prompts, prompt_text, prompt_values, recorded_prompt
from embodio.datasets.episodes.recorded.sound import heard, microphone_samples
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CollectionError, FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.pages.prompt import instruction_parts as shown_as_told
from embodio.datasets.pages.prompt import sounds as shown_sounds
from embodio.datasets.pages.visualise import write_page
from embodio.datasets.recording.recording import EpisodeRecorder, recorded_features
from embodio.datasets.rlds import RLDSReader, write_dataset
from embodio.datasets.rlds.episode import Episode
from embodio.datasets.rlds.example_proto import _Example
from embodio.datasets.stream.order import generator_at
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.datasets.tasks.plan import Plan, PlanConfig
from embodio.envs.embodiment import Microphone
from embodio.envs.interleaved_prompt import PromptSpace
from embodio.envs.rollout import run_episode
from embodio.model.example import Example
from tests.support.agent.robots import hearing

STEPS = 4
FORMAT = hearing(microphone=True, prompt_images=3, prompt_sounds=2, history_frames=1)


def tone(samples: int, pitch: float = 0.1) -> np.ndarray:
    return (0.5 * np.sin(pitch * np.arange(samples))).astype(np.float32)


def instruction_parts(seed: int) -> Any:
    """Words; pictures of two sizes and sounds of two rates, some twice; a sound alone; blanks at all places."""
    near, far = np.full((20, 30, 3), 10 + seed, np.uint8), np.full((24, 16, 3), 200, np.uint8)
    bell, horn = (tone(4000), 16000), ((tone(3000, 0.3) * 30000).astype(np.int16), 8000)
    return [
        "lift the cube",
        ["  when you hear ", bell, "put", near, "into", far, ",", near, "at", horn, "or", bell, "{x} "],
        (tone(5000), 16000),
        [near],
    ][seed % 4]


class Room(gymnasium.Env[dict[str, Any], np.ndarray]):
    """Four steps with pieces of sound of different lengths and types; `told(seed)` is the instruction."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict({"instruction": PromptSpace(20, 30)})
        self.action_space = spaces.Box(-1.0, 1.0, (3,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.seed, self.steps = seed or 0, 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self._observe(), 0.0, self.steps == STEPS, False, {"success": True}

    def _observe(self) -> dict[str, Any]:
        piece = tone(700 + 90 * self.steps, 0.02 * (self.steps + 1))
        forms = (piece, (piece * 32000).astype(np.int16), (piece[:, None], 8000), piece.astype(np.float16))
        frame = np.full((128, 128, 3), 40 * self.steps, np.uint8)  # flat, so that JPEG keeps it
        return {
            "front": frame,
            "hand": frame + 9,
            "state": np.array([0.5, 0.04], np.float32),
            "microphone": forms[self.steps % 4],
            "instruction": instruction_parts(self.seed),
        }


class Listener:
    """Remembers the Example of each moment, as an agent would give it to its network."""

    def __init__(self, form: PolicyFormat) -> None:
        self._session, self._form = Session(form, 1, None), form
        self.examples: list[Example] = []

    def reset(self, instruction: Any = None) -> None:
        self._session.reset(instruction)

    def act(self, observation: Any) -> np.ndarray:
        self._session.observe(read_observation(self._form.spec, observation))
        self.examples.append(self._session.example())
        return np.full(3, len(self.examples) / 100, np.float32)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[Example]]]:
    """A data set of four episodes, and what the agent saw in them."""
    folder, acted, records = tmp_path_factory.mktemp("recorded") / "data", [], []
    for seed in range(4):
        env, policy = Room(), Listener(FORMAT)
        assert has_prompts(env.observation_space)
        recorder = EpisodeRecorder(policy, FORMAT.embodiment, prompts=True)
        records.append(recorder.encode(run_episode(env, policy, seed, recorder), environment="room", agent="listener"))
        acted.append(policy.examples)
    robot = FORMAT.embodiment
    write_dataset(folder, "room", robot, recorded_features(robot, prompts=True), records)
    return folder, acted


def require_equal(one: Example, other: Example) -> None:
    assert one.text == other.text
    for name in ("image", "audio"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("image_history", "audio_history"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert len(ours) == len(theirs), name
        for left, right in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(left, right, err_msg=name)
            assert left.dtype == right.dtype


def require_as_acted(source: EpisodeSource, acted: list[list[Example]]) -> None:
    task = NextAction(source, FORMAT, range(len(source)))
    assert len(task) == sum(map(len, acted)) == 4 * (STEPS + 1)
    for index in range(len(task)):
        episode, step = task.locate(index)
        require_equal(task.example(index), acted[episode][step])


def test_training_sees_and_hears_what_the_agent_did(recorded: tuple[Path, list[list[Example]]], tmp_path: Path) -> None:
    folder, acted = recorded
    assert {len(examples[-1].audio_history) for examples in acted} > {0}  # sounds of prompts
    require_as_acted(RLDSReader(folder), acted)
    convert(open_source(folder), tmp_path / "again")
    require_as_acted(open_source(tmp_path / "again"), acted)
    assert set(convert(open_source(folder), tmp_path / "lerobot", ConversionSettings(to="lerobot")).left_out) == {
        *RLDSReader(folder).features.sequences
    }


def test_training_recolours_images_of_prompts_like_frames(recorded: tuple[Path, list[list[Example]]]) -> None:
    source = RLDSReader(recorded[0])
    plain = NextAction(source, FORMAT, [3]).example(1)
    shared = SharedConfig(augment=AugmentConfig(colour=0.5))
    changed = NextAction(source, FORMAT, [3], shared=shared).example(1, generator_at(0, 0))
    gain = changed.image[0, 0] / plain.image[0, 0]  # of the one image in the prompt of episode 3, and of the frames
    expected = np.clip(plain.image_history[0] * gain, 0, 255)
    assert np.abs(gain - 1.0).max() > 0.1
    np.testing.assert_allclose(changed.image_history[0], expected, atol=2.0)


def test_a_proposed_description_keeps_the_microphone(
    recorded: tuple[Path, list[list[Example]]], tmp_path: Path
) -> None:
    folder, acted = recorded
    described = tmp_path / "room.yaml"
    described.write_text(propose(open_source(folder), folder))
    source = open_source(described)
    assert source.embodiment.microphone == Microphone(8000, 1)
    require_as_acted(source, acted)


def test_the_page_shows_pictures_and_plays_sounds(recorded: tuple[Path, list[list[Example]]], tmp_path: Path) -> None:
    write_page(open_source(recorded[0]), [0, 1], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    first, second = page.split('id="episode-1"')
    assert first.count("data:audio/wav") == 1 and "data:image/png" not in first  # the microphone
    assert second.count("data:audio/wav") == 1 + 3 and second.count("data:image/png") == 3
    assert "when you hear" in second and "{x}" in second


def test_pieces_of_the_index_give_the_same(recorded: tuple[Path, list[list[Example]]]) -> None:
    folder, acted = recorded
    reader = RLDSReader(folder)
    assert [reader.episode_length(index) for index in range(4)] == [STEPS + 1] * 4  # makes the table of pieces
    reader.close()
    require_as_acted(RLDSReader(folder), acted)


def test_a_plan_shows_pictures_and_sounds_of_the_instruction(recorded: tuple[Path, list[list[Example]]]) -> None:
    source = RLDSReader(recorded[0])
    plans = Plan(source, FORMAT, range(4), PlanConfig())
    vocabulary, example = FORMAT.vocabulary, plans.example(1)
    assert [len(sound) for sound in example.audio_history] == [4000, 6000] and len(example.image_history) == 2
    marks = {vocabulary.image_history_id(i) for i in range(1, 4)} | {
        vocabulary.audio_history_id(i) for i in range(1, 4)
    }
    assert sum(part in marks for part in example.text) == 6
    assert not plans.example(0).audio_history


def test_what_was_told_comes_back_part_by_part(recorded: tuple[Path, list[list[Example]]]) -> None:
    source = RLDSReader(recorded[0])
    assert prompt_of(source.episode(0)) == "lift the cube"
    back, given = prompt_of(source.episode(1)), instruction_parts(1)
    for ours, theirs in zip(back, given, strict=True):
        if isinstance(theirs, str):
            assert ours == theirs
        elif isinstance(theirs, tuple):
            assert ours[1] == theirs[1] and len(ours[0]) == len(theirs[0])
        else:
            assert np.array_equal(ours, theirs)
    assert source.episode(1).instruction == (
        "when you hear {sound_1} put {image_1} into {image_2} , {image_1} at {sound_2} or {sound_1} {x}"
    )
    words = recorded_prompt(source.episode(1), images=False, sounds=False)
    assert words == source.episode(1).instruction
    assert source.episode(0).metadata["microphone_rate"] == 8000


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_other_values_are_read_or_refused(data: st.DataObject, recorded: tuple[Path, list[list[Example]]]) -> None:
    reader = RLDSReader(recorded[0])
    example = _Example()
    example.ParseFromString(reader.record(1))
    fields = example.features.feature
    name = data.draw(st.sampled_from([name for name in fields if "prompt" in name or "microphone" in name]))
    kind = fields[name].WhichOneof("kind")
    values = getattr(fields[name], kind).value
    other = {
        "int64_list": st.integers(-(2**63), 2**63 - 1),
        "float_list": st.floats(width=32),
        "bytes_list": st.sampled_from([b"{image_9}", b"{sound_0}", b"{sound_3}", b"", b"\xff"]) | st.binary(max_size=9),
    }[kind]
    place = data.draw(st.integers(0, len(values)))
    values[place : place + data.draw(st.integers(0, 2))] = data.draw(st.lists(other, max_size=2))
    episode = Episode(example.SerializeToString(), reader.features)
    for read in (prompt_of, lambda e: instruction_for(e, 3, 2), lambda e: heard(e, STEPS), shown_as_told, shown_sounds):
        with contextlib.suppress(FeatureError):
            read(episode)


@pytest.mark.slow
@pytest.mark.tf
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra `tf` is not installed")
def test_tfds_reads_the_same(recorded: tuple[Path, list[list[Example]]]) -> None:
    program = Path(__file__).parents[3] / "tests" / "support" / "programs" / "compare_with_tfds.py"
    command = [sys.executable, str(program), str(recorded[0])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_what_cannot_be_recorded_is_said() -> None:
    mono, stereo = Microphone(8000, 1), Microphone(8000, 2)
    assert microphone_samples(np.zeros(0, np.float32), mono).shape == (0,)
    assert microphone_samples(np.array([0.5]), stereo).tolist() == [[0.5, 0.5]]
    for value, microphone, problem in (
        ((np.zeros(3), 44100), mono, "44100 Hz"),
        (np.zeros((3, 2), np.float32), mono, "expected float"),
        (np.zeros(3, np.uint8), mono, "uint8"),
        ("hush", mono, "expected float"),
    ):
        with pytest.raises(CollectionError, match=problem):
            microphone_samples(value, microphone)
    for part, problem in (
        ("{image_1}", "is a mark"),
        (np.zeros((2, 2, 3)), "float64"),
        (3, "int"),
        ((np.zeros(0), 8000), "sound"),
    ):
        with pytest.raises(CollectionError, match=problem):
            prompt_values(["look", part])
    assert prompt_text([" go ", "", "on"]) == "go on"


def test_episodes_without_sound_are_refused_when_it_is_read(recorded: tuple[Path, list[list[Example]]]) -> None:
    class Silent:
        features = RLDSReader(recorded[0]).features

        def sequence(self, path: str, step: int | None = None) -> np.ndarray:
            return np.zeros(0 if (step or 0) < 2 else 5, np.float32)

    assert [len(piece) for piece in heard(Silent(), 3)] == [5, 5]  # type: ignore[arg-type]
    with pytest.raises(FeatureError, match="nothing up to step 1"):
        heard(Silent(), 1)  # type: ignore[arg-type]

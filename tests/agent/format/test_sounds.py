"""Sound: a microphone, spoken instructions, and sounds among words and pictures; each in its slot, encoded once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.agent import Agent, AgentOptions, ObservationError, PolicyFormat
from embodio.agent.format.instruction import read_instruction
from embodio.agent.format.sound import heard_segments, read_sound, recent
from embodio.model.example import Example
from embodio.model.network.batch import collate
from embodio.model.processing.audio import SEGMENT_SAMPLES
from embodio.model.processing.audio_features import AudioError
from embodio.model.processing.processor import Processor
from embodio.model.processing.recordings import with_sounds_read
from tests.support.agent.policies import make_checkpoint
from tests.support.agent.robots import hearing, observation_of
from tests.support.agent.slow_path import SlowAgent

RATE = 16_000


def tone(seconds: float, hertz: float = 440.0, rate: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def agent_of(policy_format: PolicyFormat) -> Agent:
    return Agent(make_checkpoint(policy_format, seed=2))


def test_what_was_heard_before_is_history() -> None:
    agent = agent_of(hearing(microphone=True))
    agent.reset(instruction="lift")
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 24_000).astype(np.float32)
    for _ in range(2):
        agent.act(observation_of(agent.format) | {"microphone": sound})
    example = agent.example()
    assert example.audio is not None and len(example.audio) == SEGMENT_SAMPLES
    assert [len(part) for part in example.audio_history] == [SEGMENT_SAMPLES]
    for _ in range(9):
        agent.act(observation_of(agent.format) | {"microphone": (tone(3, rate=44_100), 44_100)})
    assert [len(part) for part in agent.example().audio_history] == [SEGMENT_SAMPLES] * 4
    with pytest.raises(ObservationError, match="microphone"):
        agent.act(observation_of(agent.format) | {"microphone": np.full(80, np.nan, np.float32)})


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(1, 90_000), st.sampled_from([None, 16_000, 11_025])), min_size=1, max_size=12))
def test_segments_of_a_microphone_stay_while_it_goes_on(parts: list[tuple[int, int | None]]) -> None:
    policy_format = hearing(microphone=True)
    generator = np.random.default_rng(len(parts))
    pieces = [generator.uniform(-0.5, 0.5, length).astype(np.float32) for length, _ in parts]
    given_pieces = [piece if rate is None else (piece, rate) for piece, (_, rate) in zip(pieces, parts, strict=True)]
    whole, kept = np.zeros(0, np.float32), np.zeros(0, np.float32)
    for count, (piece, (_, rate)) in enumerate(zip(pieces, parts, strict=True), start=1):
        read = read_sound("microphone", piece, rate or 8000)
        whole, kept = np.concatenate([whole, read]), recent(np.concatenate([kept, read]))
        np.testing.assert_array_equal(kept, policy_format.sound(given_pieces[:count]))
        *earlier, last = heard_segments(kept)
        np.testing.assert_array_equal(last, whole[-SEGMENT_SAMPLES:])
        full = [whole[begin : begin + SEGMENT_SAMPLES] for begin in range(0, len(whole), SEGMENT_SAMPLES)]
        before = [part for number, part in enumerate(full) if number * SEGMENT_SAMPLES < len(whole) - SEGMENT_SAMPLES]
        assert len(earlier) == min(4, len(before))
        for part, expected in zip(earlier, before[-4:], strict=True):
            np.testing.assert_array_equal(part, expected)


def test_segments_of_a_microphone_are_encoded_once_and_act_as_the_slow_way() -> None:
    policy_format = hearing(microphone=True)
    checkpoint = make_checkpoint(policy_format, seed=4)
    fast, slow = Agent(checkpoint), SlowAgent(checkpoint, 1)
    guided = Agent(checkpoint, options=AgentOptions(guidance=1.0))
    for agent in (fast, guided, slow):
        agent.reset("lift")
    ran: list[int] = []
    embed = checkpoint.model.embed_inputs
    name = "inputs/audio_history/input"
    pieces = [tone(1.9, 100.0 * step, 8000) for step in range(1, 16)]
    for step, piece in enumerate(pieces):
        seen = observation_of(policy_format, step)
        expected = slow.act(seen | {"microphone": policy_format.sound(pieces[: step + 1])})
        checkpoint.model.embed_inputs = lambda batch: ran.append(len(batch.get(name, ()))) or embed(batch)  # type: ignore[method-assign]
        np.testing.assert_array_equal(fast.act(seen | {"microphone": piece}), expected)
        del checkpoint.model.embed_inputs
        guided.act(seen | {"microphone": piece})
    assert sum(ran) == int(15 * 1.9 / 4.08)  # each full segment once
    assert len(fast.sessions[0]._segments) <= 6


def test_a_spoken_instruction_is_the_audio_input() -> None:
    policy_format = hearing(prompt_sounds=3)
    agent, vocabulary = agent_of(policy_format), policy_format.vocabulary
    spoken = tone(9.0)
    agent.reset(instruction=(spoken, RATE))
    first = agent.act(observation_of(policy_format))
    example = agent.example()
    np.testing.assert_array_equal(example.audio, spoken[-SEGMENT_SAMPLES:])
    assert [len(part) for part in example.audio_history] == [9 * RATE - 2 * SEGMENT_SAMPLES, SEGMENT_SAMPLES]
    text = list(example.text)
    places = [vocabulary.audio_history_id(1), vocabulary.audio_history_id(2), vocabulary.audio_input_id]
    assert [token for token in text if token in places] == places
    for heard in (tone(9.0, 450.0), np.zeros_like(spoken)):
        agent.reset(instruction=(heard, RATE))
        assert (agent.decide(observation_of(policy_format)).dimensions[0].probabilities >= 0).all()  # type: ignore[union-attr]
    agent.reset(instruction=(spoken, RATE))
    np.testing.assert_array_equal(first, agent.act(observation_of(policy_format)))
    with pytest.raises(ObservationError, match=r"4 sounds segments of 4.08 s, but there are slots for 3"):
        agent.reset(instruction=(tone(13.0), RATE))


SHAPES = st.sampled_from([(), (0,), (900,), (900, 1), (900, 2), (900, 0), (4, 900), (9, 9, 3)])
TYPES = st.sampled_from(["float16", "float32", "float64", "int16", "int32", "uint8", "bool", "complex64"])
RATES = st.sampled_from([None, 999, 8000, 16_000, 44_100, 192_001, 8000.5, float("nan")])


@settings(max_examples=80)
@given(SHAPES, TYPES, RATES, st.sampled_from([0.5, 5.0]))
def test_agents_and_tasks_accept_and_refuse_the_same_sounds(
    shape: tuple[int, ...], dtype: str, rate: float | None, loudest: float
) -> None:
    unit = np.random.default_rng(0).uniform(-loudest, loudest, shape)
    samples = np.asarray(unit * 9 if dtype == "uint8" or "int" in dtype else unit).astype(dtype)
    given_sound = samples if rate is None else (samples, rate)
    if rate is None and len(shape) == 3:
        return  # a picture
    config = hearing(prompt_sounds=1).config
    try:
        heard = with_sounds_read(Example(text="", audio=given_sound)).audio
    except AudioError as error:
        with pytest.raises(ObservationError):
            read_instruction(config, given_sound)
        assert str(error).startswith("audio: ")
    else:
        (told,) = read_instruction(config, given_sound)
        np.testing.assert_array_equal(told, heard)
        assert told.dtype == np.float32 and told.ndim == 1


def test_a_sound_with_its_rate_is_captioned_as_the_resampled_one_is() -> None:
    tasks = agent_of(hearing(prompt_sounds=1)).tasks
    stereo = np.stack([tone(0.5, rate=8000)] * 2, axis=1)
    mono = read_sound("sound", tone(0.5, rate=8000), 8000)
    scores = [one.log_probability for one in tasks.caption_sounds([(stereo, 8000), mono])]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)
    with pytest.raises(AudioError, match=r"audio: expected sound .* got uint8 \(9,\)"):
        tasks.caption_sounds([np.zeros(9, np.uint8)])


def test_a_spoken_instruction_is_heard_all_along_next_to_a_microphone() -> None:
    policy_format = hearing(microphone=True, prompt_sounds=1)
    agent = agent_of(policy_format)
    spoken = tone(2.0)
    agent.reset(instruction=(spoken, RATE))
    for _ in range(12):
        agent.act(observation_of(policy_format) | {"microphone": (tone(3.0, 200.0), RATE)})
    example = agent.example()
    np.testing.assert_array_equal(example.audio_history[0], spoken)
    assert len(example.audio_history) == 5


def test_words_pictures_and_sounds_keep_their_order() -> None:
    policy_format = hearing(prompt_images=2, prompt_sounds=2, history_frames=1)
    agent, vocabulary = agent_of(policy_format), policy_format.vocabulary
    picture, other = np.full((40, 30, 3), 200, np.uint8), np.full((20, 30, 3), 20, np.uint8)
    bell, horn = (tone(0.5), RATE), (tone(1.0, 200.0), RATE)
    agent.reset(
        instruction=["when you hear", bell, "put", picture, "into", other, ", at", horn, "put", picture, "back"]
    )
    agent.act(observation_of(policy_format, 0))
    agent.act(observation_of(policy_format, 1))
    example = agent.example()
    special = {vocabulary.image_history_id(i) for i in range(1, 9)} | {
        vocabulary.audio_history_id(i) for i in range(1, 9)
    }
    assert [token for token in example.text if token in special] == [
        vocabulary.audio_history_id(1),
        vocabulary.image_history_id(1),
        vocabulary.image_history_id(2),
        vocabulary.audio_history_id(2),
        vocabulary.image_history_id(1),
    ]
    np.testing.assert_array_equal(example.image_history[0], picture)
    np.testing.assert_array_equal(example.image_history[1], other)
    assert [len(part) for part in example.audio_history] == [RATE // 2, RATE]
    assert example.audio is None


def test_sounds_are_encoded_once_and_act_as_the_slow_way() -> None:
    policy_format = hearing(prompt_images=1, prompt_sounds=1)
    checkpoint = make_checkpoint(policy_format, seed=4)
    fast, slow = Agent(checkpoint), SlowAgent(checkpoint, 1)
    instruction = ["at", (tone(1.0), RATE), "take", np.full((40, 30, 3), 90, np.uint8)]
    fast.reset(instruction=instruction)
    slow.reset(fast.sessions[0].instruction)  # type: ignore[arg-type]
    ran: list[str] = []
    embed = checkpoint.model.embed_inputs
    checkpoint.model.embed_inputs = lambda batch: ran.extend(k for k in batch if k.endswith("/input")) or embed(batch)  # type: ignore[method-assign]
    for step in range(4):
        np.testing.assert_array_equal(
            fast.act(observation_of(policy_format, step)), slow.act(observation_of(policy_format, step))
        )
    del checkpoint.model.embed_inputs
    kinds = ("audio_history", "image_history", "inputs/image/")
    # The slow way reads all three in each of 4 steps; the fast one the prompt's once, and every new frame.
    assert [sum(kind in name for name in ran) for kind in kinds] == [4 + 1, 4 + 1, 4 + 4]


def test_rows_with_sounds_do_what_they_do_alone() -> None:
    policy_format = hearing(microphone=True, prompt_sounds=1)
    checkpoint = make_checkpoint(policy_format, seed=4)
    told = ("lift", (tone(1.0), RATE), ["at", (tone(2.0, 300.0), RATE), "go"])
    together, alone = Agent(checkpoint), [Agent(checkpoint) for _ in told]
    together.reset(instruction=told)
    for agent, instruction in zip(alone, told, strict=True):
        agent.reset(instruction=instruction)
    for step in range(3):
        seen = [
            observation_of(policy_format, 3 * step + row) | {"microphone": tone(2.0, 100.0 * (row + 1), 8000)}
            for row in range(3)
        ]
        actions = together.act({key: np.stack([s[key] for s in seen]) for key in seen[0]})
        for row, agent in enumerate(alone):
            np.testing.assert_array_equal(actions[row], agent.act(seen[row]))


def test_training_hears_what_acting_hears() -> None:
    policy_format = hearing(microphone=True)
    agent = agent_of(policy_format)
    agent.reset(instruction="lift")
    pieces = [tone(0.4, 100.0 * step, 8000) for step in range(1, 14)]
    for step, piece in enumerate(pieces):
        seen = observation_of(policy_format, step) | {"microphone": piece}
        agent.act(seen)
    trained = policy_format.example([seen | {"microphone": policy_format.sound(pieces)}], "lift")
    acted = agent.example()
    np.testing.assert_array_equal(trained.audio, acted.audio)
    for one, other in zip(trained.audio_history, acted.audio_history, strict=True):
        np.testing.assert_array_equal(one, other)
    features = collate([Processor(agent.model.config, policy_format.vocabulary)(trained)])
    assert features["inputs/audio/input"].shape[0] == 1


def test_guidance_leaves_out_all_that_the_robot_is_told() -> None:
    policy_format = hearing(prompt_images=1, prompt_sounds=1)
    checkpoint = make_checkpoint(policy_format, seed=4)
    told = ["at", (tone(1.0), RATE), "take", np.full((40, 30, 3), 90, np.uint8)]
    agent = Agent(checkpoint, options=AgentOptions(guidance=2.0))
    plain, silent = Agent(checkpoint), Agent(checkpoint)
    for asked, instruction in ((agent, told), (plain, told), (silent, "")):
        asked.reset(instruction=instruction)
    guided, own, none = (asked.decide(observation_of(policy_format)).dimensions[0] for asked in (agent, plain, silent))
    expected = 3.0 * np.log(own.probabilities) - 2.0 * np.log(none.probabilities)
    expected = np.exp(expected - expected.max())
    np.testing.assert_allclose(guided.probabilities, expected / expected.sum(), atol=1e-4)

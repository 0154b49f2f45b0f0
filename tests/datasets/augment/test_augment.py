"""Augmentation: one draw for an example, nothing at zero, the old draws as they were, and the crop of evaluation."""

from __future__ import annotations

import dataclasses
import hashlib
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.augment.augment import Augmentation, EvaluationView
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.stream.order import generator_at
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.model.processing.image import crop
from tests.support.datasets.toy import toy_format, write_toy_dataset

FRAME = (np.arange(32 * 40 * 3, dtype=np.uint32) * 2654435761 >> 7).astype(np.uint8).reshape(32, 40, 3)
PICTURES: dict[str, dict[str, float]] = {
    "crop": {"crop": 0.5, "crop_ratio": 0.3},
    "blur": {"blur": 2.0},
    "noise": {"noise": 20.0},
    "cutout": {"cutout": 0.3},
    "hue": {"hue": 60.0},
    "saturation": {"saturation": 0.6},
}
WORDS = {"templates": ("please {instruction}", "{instruction} now"), "synonyms": ("pick up|grasp|take",)}


def draw(seed: int, **changes: object) -> Augmentation:
    return Augmentation(AugmentConfig(**changes), generator_at(seed, 5), ("a", "b"))


# Written down before crop, blur, noise, cutout, hue and saturation were added: pixels, and what is drawn afterwards.
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (AugmentConfig(shift=4), "305d04936bb05a0919d28dc92ab8640b"),
        (AugmentConfig(shift=2, brightness=0.1), "a49e8feef4bfdc897d7a538594aa22ad"),
        (AugmentConfig(contrast=0.3), "6f2bdab7c3f7a85491cd145beed7cc8f"),
        (AugmentConfig(shift=3, brightness=0.2, contrast=0.2, colour=0.1), "52a565d104dc0977960818f070a27a83"),
        (AugmentConfig(), "11cc697c341cc637776565411d5e9a8b"),
    ],
)
def test_shift_and_light_are_drawn_as_they_always_were(config: AugmentConfig, expected: str) -> None:
    digest = hashlib.sha256()
    for seed in range(8):
        generator = generator_at(seed, 11)
        augmentation = Augmentation(config, generator, ("front", "wrist"))
        digest.update(augmentation("front", FRAME).tobytes())
        digest.update(augmentation("wrist", FRAME[::-1]).tobytes())
        digest.update(int(generator.integers(2**62)).to_bytes(8, "little"))
    assert digest.hexdigest()[:32] == expected


@pytest.mark.parametrize("kind", PICTURES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_one_draw_for_all_frames_and_cameras(kind: str, seed: int) -> None:
    one, again = draw(seed, **PICTURES[kind]), draw(seed, **PICTURES[kind])
    before = FRAME.copy()
    changed = one("a", FRAME)
    assert changed.shape == FRAME.shape and changed.dtype == np.uint8
    np.testing.assert_array_equal(FRAME, before)
    np.testing.assert_array_equal(changed, one("a", FRAME))
    np.testing.assert_array_equal(changed, one("b", FRAME))
    again("b", FRAME[:16])  # what was changed before makes no difference
    np.testing.assert_array_equal(changed, again("b", FRAME))


@pytest.mark.parametrize("kind", PICTURES)
def test_each_change_changes_and_differs_by_seed(kind: str) -> None:
    results = {draw(seed, **PICTURES[kind])("a", FRAME).tobytes() for seed in range(6)} - {FRAME.tobytes()}
    assert len(results) >= 4


@pytest.mark.parametrize("kind", PICTURES)
def test_zero_strength_and_zero_probability_change_nothing(kind: str) -> None:
    zero = dict.fromkeys(PICTURES[kind], 0.0)
    never = zero if kind == "crop" else PICTURES[kind] | {"probability": 0.0}
    for seed in range(5):
        np.testing.assert_array_equal(draw(seed, **zero)("a", FRAME), FRAME)
        np.testing.assert_array_equal(draw(seed, **never)("a", FRAME), FRAME)


def test_one_kind_of_change_does_not_alter_the_draw_of_another() -> None:
    state = np.zeros(3, np.float32)
    for seed in range(5):
        alone = draw(seed, state_noise=(0.1,)).state(state)
        np.testing.assert_array_equal(alone, draw(seed, state_noise=(0.1,), crop=0.5, noise=9.0).state(state))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_images_in_an_instruction_look_as_in_frames_and_stay_where_they_are(seed: int) -> None:
    colours = {"hue": 180.0, "saturation": 0.5, "brightness": 0.3, "contrast": 0.2, "colour": 0.3}
    alone = draw(seed, **colours)
    np.testing.assert_array_equal(alone.prompt_image(FRAME), alone("a", FRAME))
    moved = draw(seed, crop=0.5, crop_ratio=0.3, blur=2.0, noise=20.0, cutout=0.3, shift=4)
    np.testing.assert_array_equal(moved.prompt_image(FRAME), FRAME)
    np.testing.assert_array_equal(EvaluationView(AugmentConfig(crop=0.5, **colours)).prompt_image(FRAME), FRAME)


def test_pictures_do_not_depend_on_threads() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (256, 320, 3), dtype=np.uint8)
    everything = {name: value for kind in PICTURES.values() for name, value in kind.items()}
    threads, results = cv2.getNumThreads(), []
    try:
        for number in (1, 4):
            cv2.setNumThreads(number)
            results.append([draw(seed, **everything)("a", frame) for seed in range(4)])
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(results[0], results[1])


def test_greys_stay_when_colours_turn_and_cutout_is_as_large_as_said() -> None:
    grey = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, :, None] * 6, (32, 40, 3)).copy()
    black = np.zeros((64, 64, 3), np.uint8)
    for seed in range(10):
        turned = draw(seed, hue=90.0, saturation=0.5)("a", grey)
        assert np.abs(turned.astype(int) - grey).max() <= 1
        assert (draw(seed, cutout=0.25)("a", black)[..., 0] > 0).mean() <= 0.26


@settings(max_examples=40, deadline=None)
@given(area=st.floats(0.05, 1.0), ratio=st.floats(-2, 2), down=st.floats(0, 1), right=st.floats(0, 1))
def test_a_crop_keeps_size_type_and_range(area: float, ratio: float, down: float, right: float) -> None:
    part = crop(FRAME, area, ratio, (down, right))
    assert part.shape == FRAME.shape and part.dtype == np.uint8
    np.testing.assert_array_equal(crop(np.full_like(FRAME, 9), area, ratio, (down, right)), 9)


def test_evaluation_crops_the_middle_with_the_mean_area() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[10:90, 10:90] = 200  # 0.64 of the area, which is 1 - 0.72 / 2
    np.testing.assert_array_equal(EvaluationView(AugmentConfig(crop=0.72))("a", frame), 200)
    assert EvaluationView(AugmentConfig(crop=0.5))("a", frame).min() == 0
    np.testing.assert_array_equal(EvaluationView(AugmentConfig(blur=3.0, noise=9.0, shift=4))("a", frame), frame)


def test_state_noise_is_an_offset_in_the_units_of_each_number() -> None:
    state = np.array([1.0, 2.0], np.float32)
    noisy = draw(0, state_noise=(0.0, 0.5))
    assert noisy.state(state)[0] == 1.0 and noisy.state(state)[1] != 2.0
    assert noisy.state(state).dtype == np.float32
    np.testing.assert_allclose(noisy.state(state + 1) - noisy.state(state), 1.0, atol=1e-6)
    offsets = np.array([draw(seed, state_noise=(0.5,)).state(np.zeros(2)) for seed in range(300)])
    assert offsets.std() == pytest.approx(0.5, rel=0.15) and abs(offsets.mean()) < 0.1
    np.testing.assert_array_equal(draw(0, state_noise=(0.0,), blur=1.0).state(state), state)
    with pytest.raises(DatasetError, match="got 3 numbers, expected 1 or 2"):
        draw(0, state_noise=(0.1, 0.1, 0.1)).state(state)


def test_instructions_are_reworded_and_left_out() -> None:
    text = "pick up the pickup"
    said = {draw(seed, **WORDS, paraphrase=1.0).instruction(text) for seed in range(60)}
    assert said == {
        form.replace("X", f"{word} the pickup")
        for form in ("please X", "X now")
        for word in ("pick up", "grasp", "take")
    }
    assert draw(3, **WORDS).instruction(text) == text
    assert draw(3, instruction_dropout=1.0).instruction(text) == ""
    left_out = [draw(seed, instruction_dropout=0.3).instruction(text) == "" for seed in range(300)]
    assert np.mean(left_out) == pytest.approx(0.3, abs=0.1)
    for word in (r"\1", r"a\b"):
        group = {"synonyms": (f"lift|{word}",), "paraphrase": 1.0}
        assert {draw(seed, **group).instruction("lift it") for seed in range(20)} == {"lift it", f"{word} it"}


def test_sound_is_scaled_and_mixed(tmp_path: Path) -> None:
    file = tmp_path / "hum.wav"
    with wave.open(str(file), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes((np.sin(np.arange(400)) * 20000).astype("<i2").tobytes())
    sound = np.sin(np.arange(1000, dtype=np.float32) / 9) * np.float32(0.4)
    for seed in range(10):
        louder = draw(seed, sound_gain=6.0).sound(sound)
        assert 0.5 < louder[20] / sound[20] < 2.0 and louder.dtype == np.float32
        mixed = draw(seed, background_sounds=(str(file),), background_level=1.0)
        assert mixed.sound(sound).dtype == np.float32 and np.abs(mixed.sound(sound)).max() <= 1.0
        assert not np.array_equal(mixed.sound(sound), sound)
        np.testing.assert_array_equal(mixed.sound(sound)[:300], mixed.sound(sound[:300]))
        np.testing.assert_array_equal(draw(seed, background_sounds=(str(file),), blur=1.0).sound(sound), sound)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 1.0}, "augment.crop: got 1.0"),
        ({"crop_ratio": 0.2}, "give augment.crop as well"),
        ({"noise": -1.0}, "augment.noise"),
        ({"blur": float("nan")}, "augment.blur"),
        ({"probability": 1.5}, "augment.probability"),
        ({"state_noise": (-0.1,)}, "augment.state_noise"),
        ({"templates": ("please",)}, "must hold"),
        ({"synonyms": ("lift|",)}, "two or more words"),
        ({"paraphrase": 0.5}, "give templates or synonyms"),
        ({"background_level": 0.5}, "give background_sounds"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        AugmentConfig(**changes)


def test_everything_is_off_by_default() -> None:
    config = AugmentConfig()
    assert not (config.changes_more or config.changes_words or config.changes_pictures)
    given_lists = dataclasses.replace(config, templates=("please {instruction}",), background_sounds=("a.wav",))
    assert not given_lists.changes_more


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> RLDSReader:
    return RLDSReader(write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=2, steps=4))


def make_task(reader: RLDSReader, **changes: object) -> NextAction:
    policy_format = toy_format(compute_statistics(reader))
    return NextAction(reader, policy_format, range(2), shared=SharedConfig(augment=AugmentConfig(**changes)))


def test_the_task_changes_state_and_words(reader: RLDSReader) -> None:
    plain = make_task(reader).example(2, generator_at(0, 0))
    dropped = make_task(reader, instruction_dropout=1.0).example(2, generator_at(0, 0))
    assert "lift the cube" in plain.text and "lift the cube" not in dropped.text and "" in dropped.text
    noisy = make_task(reader, state_noise=(0.5,)).example(2, generator_at(0, 0))
    assert noisy.text != plain.text
    np.testing.assert_array_equal(noisy.image, plain.image)
    assert noisy.text_target == plain.text_target


def test_without_a_generator_the_task_only_crops(reader: RLDSReader) -> None:
    plain = make_task(reader).example(2)
    frame = reader.episode(0).frame("front", 2)
    np.testing.assert_array_equal(plain.image[:, :128], frame)
    everything = make_task(reader, crop=0.2, noise=30.0, state_noise=(0.5,), instruction_dropout=1.0).example(2)
    np.testing.assert_array_equal(everything.image[:, :128], crop(frame, 0.9))
    assert everything.text == plain.text

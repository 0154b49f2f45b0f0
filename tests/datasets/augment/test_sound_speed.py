"""Speed of sounds: pitch and length change together, within the segment, in training only."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.augment.augment import Augmentation, EvaluationView
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.augment.heard import HeardChange
from embodio.datasets.errors import DatasetError
from embodio.datasets.stream.order import generator_at
from embodio.model.example import Waveform
from embodio.model.processing.audio import count_segments
from embodio.model.processing.audio_features import SAMPLE_RATE
from embodio.model.tasks.base.family import Annotation, InputMedia

PITCH = 440.0
SHARES = st.sampled_from([0.01, 0.1, 0.15, 0.5, 0.99])


def draw(seed: int, **changes: float) -> Augmentation:
    return Augmentation(AugmentConfig(**changes), generator_at(seed, 5), ("a",))


def tone(samples: int) -> Waveform:
    return (0.5 * np.sin(2 * np.pi * PITCH * np.arange(samples) / SAMPLE_RATE)).astype(np.float32)


def pitch(sound: Waveform) -> float:
    """Frequency of the tone in a sound: the peak of the spectrum, refined by the phase gained in a quarter of it."""
    half, later = len(sound) // 2, len(sound) // 4
    window, times = np.hanning(half), np.arange(half) / SAMPLE_RATE
    strongest = np.argmax(np.abs(np.fft.rfft(sound[:half] * window))) * SAMPLE_RATE / half
    turns = np.exp(-2j * np.pi * strongest * times) * window
    first, second = (sound[:half] * turns).sum(), (sound[later : later + half] * turns).sum()
    gained = np.angle(second / first * np.exp(-2j * np.pi * strongest * later / SAMPLE_RATE)) / (2 * np.pi)
    return float(strongest + gained * SAMPLE_RATE / later)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), share=SHARES, samples=st.integers(12_000, 30_000))
def test_pitch_and_length_change_by_one_factor(seed: int, share: float, samples: int) -> None:
    sound = tone(samples)
    played = draw(seed, sound_speed=share).whole_sound(sound)
    factor = pitch(played) / PITCH
    assert 1 / (1 + share) - 1e-3 <= factor <= 1 + share + 1e-3
    whole = round(100 * factor) / 100 if factor >= 1 else 100 / round(100 / factor)  # speeds are whole percents
    assert factor == pytest.approx(whole, abs=1e-3)
    assert abs(len(played) - samples / whole) <= 1
    inner = played[len(played) // 4 : -len(played) // 4]
    assert np.sqrt(np.mean(np.square(inner))) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31), share=SHARES, samples=st.integers(100, 3 * 4000), segment=st.sampled_from([4000, 4079])
)
def test_a_sound_keeps_its_number_of_segments_and_its_end(seed: int, share: float, samples: int, segment: int) -> None:
    sound = np.zeros(samples, np.float32)
    sound[-60:] = 0.5
    before = sound.copy()
    played = draw(seed, sound_speed=share).whole_sound(sound, segment)
    np.testing.assert_array_equal(sound, before)
    assert played.dtype == np.float32 and np.abs(played).max() <= 1.0
    assert count_segments(len(played), segment) == count_segments(samples, segment)
    assert len(played) <= max(samples, segment * count_segments(samples, segment))
    loud = np.flatnonzero(played > 0.25)
    assert len(loud) >= 0.9 * min(samples, 60) / (1 + share) - 1
    if samples <= segment:
        assert abs(loud[-1] + 1 - len(played)) <= 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), samples=st.integers(100, 5000))
def test_it_is_a_function_of_the_seed_and_off_at_zero_and_in_validation(seed: int, samples: int) -> None:
    sound = np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)
    one, again = draw(seed, sound_speed=0.3), draw(seed, sound_speed=0.3)
    again.whole_sound(sound[:50])
    np.testing.assert_array_equal(one.whole_sound(sound), again.whole_sound(sound))
    np.testing.assert_array_equal(draw(seed, shift=4).whole_sound(sound), sound)
    np.testing.assert_array_equal(draw(seed, blur=1.0, sound_speed=0.0).whole_sound(sound), sound)
    np.testing.assert_array_equal(EvaluationView(AugmentConfig(sound_speed=0.3)).whole_sound(sound), sound)


def test_recordings_of_episodes_keep_their_length_and_the_other_changes_their_draws() -> None:
    sound = tone(4000)
    for seed in range(20):
        np.testing.assert_array_equal(draw(seed, sound_speed=0.5).sound(sound), sound)
        both, louder = draw(seed, sound_speed=0.5, sound_gain=6.0), draw(seed, sound_gain=6.0)
        np.testing.assert_array_equal(both.sound(sound), louder.sound(sound))
        played = draw(seed, sound_speed=0.5).whole_sound(sound)
        np.testing.assert_array_equal(both.whole_sound(sound), louder.sound(played))


def test_speeds_are_even_in_their_logarithm() -> None:
    counts = Counter(len(draw(seed, sound_speed=0.15).whole_sound(np.zeros(2300, np.float32))) for seed in range(2100))
    assert len(counts) == 21 and (min(counts), max(counts)) == (2000, 2645)
    assert min(counts.values()) > 50 and max(counts.values()) < 160
    places = np.array([np.log(2300 / length) / np.log(1.15) for length in sorted(counts)])
    np.testing.assert_allclose(places, np.linspace(1, -1, 21), atol=0.04)


def test_only_sounds_without_pictures_change() -> None:
    change = HeardChange(AugmentConfig(sound_speed=0.5, sound_gain=6.0))
    sound, picture = tone(4000), np.zeros((8, 8, 3), np.uint8)
    lengths = set()
    for seed in range(20):
        made = change(Annotation(media=InputMedia(audio=sound)), generator_at(0, seed)).media.audio
        assert isinstance(made, np.ndarray)
        lengths.add(len(made))
        for media in (
            InputMedia(audio=sound, image=picture),
            InputMedia(audio=sound, image_history=(picture,)),
            InputMedia(audio=sound, audio_history=(sound,)),
            InputMedia(image=picture),
        ):
            generator = generator_at(0, seed)
            assert change(one := Annotation(media=media), generator) is one
            assert generator.random() == generator_at(0, seed).random()
    assert len(lengths) > 5


def test_wrong_shares_are_named() -> None:
    for share in (1.0, -0.1, float("nan")):
        with pytest.raises(DatasetError, match=r"augment.sound_speed: got .*, expected 0 or more and less than 1"):
            AugmentConfig(sound_speed=share)

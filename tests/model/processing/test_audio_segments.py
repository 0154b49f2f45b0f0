"""Segments of sound, changes of rate, and channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.processing.audio import (
    SEGMENT_SAMPLES,
    count_segments,
    cut_segments,
    fit_length,
    resample,
    segments_of_parts,
    to_mono,
)
from embodio.model.processing.audio_features import SAMPLE_RATE, AudioError


@pytest.mark.parametrize(
    ("seconds", "segments"),
    [
        (0.01, 1),
        (4.08, 1),
        (4.9, 1),
        (6.12, 1),
        (6.21, 1),
        (6.23, 2),
        (8.16, 2),
        (10.3, 2),
        (10.31, 3),
        (12.24, 3),
        (20.4, 5),
    ],
)
def test_number_of_segments(seconds: float, segments: int) -> None:
    assert count_segments(round(seconds * SAMPLE_RATE)) == segments


def test_the_rest_must_be_more_than_half_a_segment_and_a_tenth_of_a_second() -> None:
    limit = SEGMENT_SAMPLES + SEGMENT_SAMPLES // 2 + 1600
    assert count_segments(limit) == 1 and count_segments(limit + 1) == 2


@given(st.integers(1, 700), st.integers(2, 90))
def test_segments_follow_one_another(samples: int, segment: int) -> None:
    sound = np.linspace(-1, 1, samples, dtype=np.float32)
    segments = cut_segments(sound, segment)
    assert len(segments) == count_segments(samples, segment) and {len(part) for part in segments} == {segment}
    joined = np.concatenate(segments)
    np.testing.assert_array_equal(joined[:samples], sound[: len(joined)])
    assert not joined[samples:].any()


def test_parts_of_a_video_that_are_short_lie_in_the_middle_of_silence() -> None:
    sound = np.linspace(0.1, 1, 5 * SAMPLE_RATE, dtype=np.float32)
    parts = segments_of_parts(sound, 5.0, 5)
    assert len(parts) == 5 and {len(part) for part in parts} == {SEGMENT_SAMPLES}
    spare = SEGMENT_SAMPLES - SAMPLE_RATE
    for i, part in enumerate(parts):
        inside = part[spare // 2 : spare // 2 + SAMPLE_RATE]
        np.testing.assert_array_equal(inside, sound[i * SAMPLE_RATE : (i + 1) * SAMPLE_RATE])
        assert np.count_nonzero(part) == SAMPLE_RATE


def test_parts_of_a_video_that_are_long_give_their_middle() -> None:
    sound = np.linspace(0.1, 1, 16 * SAMPLE_RATE, dtype=np.float32)
    first, second = segments_of_parts(sound, 20.0, 2)  # the pictures go on for 4 s after the sound
    start = (10 * SAMPLE_RATE - SEGMENT_SAMPLES) // 2
    np.testing.assert_array_equal(first, sound[start : start + SEGMENT_SAMPLES])
    tail = sound[10 * SAMPLE_RATE + start :]
    np.testing.assert_array_equal(second[: len(tail)], tail[:SEGMENT_SAMPLES])
    assert not second[len(tail) :].any()


def test_lengths() -> None:
    sound = np.ones(4, dtype=np.float32)
    assert fit_length(sound, 2).tolist() == [1, 1] and fit_length(sound, 6).tolist() == [1, 1, 1, 1, 0, 0]
    with pytest.raises(AudioError, match="no samples"):
        count_segments(0)
    with pytest.raises(AudioError, match="0 parts"):
        segments_of_parts(sound, 1.0, 0)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000])
def test_a_tone_keeps_its_pitch_place_and_loudness(rate: int) -> None:
    seconds, frequency = 0.25, 1234.5
    tone = np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate).astype(np.float32)
    ours = resample(tone, rate)
    assert ours.dtype == np.float32 and len(ours) == -(-len(tone) * SAMPLE_RATE // rate)
    expected = np.sin(2 * np.pi * frequency * np.arange(len(ours)) / SAMPLE_RATE)
    edge = 400  # the ends are cut off abruptly, which no filter can know
    np.testing.assert_allclose(ours[edge:-edge], expected[edge:-edge], atol=2e-4)


def test_tones_above_the_new_nyquist_frequency_vanish() -> None:
    tone = np.sin(2 * np.pi * 9000 * np.arange(12_000) / 48_000).astype(np.float32)
    assert np.abs(resample(tone, 48_000)[200:-200]).max() < 2e-3


@given(st.integers(1, 300), st.sampled_from([7, 16, 100]), st.sampled_from([5, 16, 63]))
def test_any_length_and_rate_work_and_a_constant_stays(samples: int, rate: int, new_rate: int) -> None:
    ours = resample(np.full(samples, 0.5, dtype=np.float32), rate, new_rate)
    assert len(ours) == -(-samples * new_rate // rate) and np.isfinite(ours).all()
    reach = 40 * max(1, rate // new_rate + 1) * new_rate // rate + 1
    if len(ours) > 2 * reach:
        np.testing.assert_allclose(ours[reach:-reach], 0.5, atol=1e-5)


def test_nothing_to_do_and_wrong_rates() -> None:
    sound = np.linspace(-1, 1, 50, dtype=np.float32)
    np.testing.assert_array_equal(resample(sound, SAMPLE_RATE), sound)
    for rate in (0, -8000, 44100.0):
        with pytest.raises(AudioError, match=f"{rate} Hz .* whole numbers"):
            resample(sound, rate)  # type: ignore[arg-type]


def test_channels_are_averaged_and_integers_scaled() -> None:
    stereo = np.array([[-32768, 32767], [16384, 0]], dtype=np.int16)
    np.testing.assert_allclose(to_mono(stereo), [-0.5 / 32768, 0.25], atol=1e-7)
    np.testing.assert_allclose(to_mono(np.array([-128, 64], dtype=np.int8)), [-1, 0.5])
    np.testing.assert_array_equal(to_mono(np.array([0.25, -1.0])), np.array([0.25, -1.0], dtype=np.float32))
    with pytest.raises(AudioError, match="samples, channels"):
        to_mono(np.zeros((1, 2, 3)))
    with pytest.raises(AudioError, match="transpose it"):
        to_mono(np.zeros((2, 16_000)))
    with pytest.raises(AudioError, match="uint8"):
        to_mono(np.zeros(3, dtype=np.uint8))


@pytest.mark.parametrize("rate", [7_919, 15_999, 47_951])
def test_a_short_sound_needs_the_first_filters_only(rate: int) -> None:
    sound = np.random.default_rng(rate).uniform(-1, 1, 300).astype(np.float32)
    short, longer = resample(sound, rate), resample(np.pad(sound, (0, rate)), rate)
    np.testing.assert_array_equal(short, longer[: len(short)])

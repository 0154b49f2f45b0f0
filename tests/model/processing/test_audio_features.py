"""The log-mel spectrogram: against published numbers, plain sums, and what physics says of simple sounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.processing.audio import (
    SEGMENT_SAMPLES,
    spectrogram_to_patches,
    spectrogram_to_target,
    target_to_power,
)
from embodio.model.processing.audio_features import (
    HOP,
    SAMPLE_RATE,
    WINDOW,
    AudioError,
    Spectrogram,
    hann_window,
    hertz_to_mel,
    log_mel,
    mel_filters,
    mel_power,
    mel_to_hertz,
    require_waveform,
    segment_samples,
)


def test_mel_scale_has_the_published_values() -> None:
    np.testing.assert_allclose(hertz_to_mel([60, 110, 220, 440]), [0.9, 1.65, 3.3, 6.6])
    np.testing.assert_allclose(mel_to_hertz([1, 2, 3, 4, 5]), [66.667, 133.333, 200, 266.667, 333.333], atol=1e-3)
    known = [0, 85.317, 170.635, 938.49, 1024.856, 1119.114, 4573.636, 10096.408, 11025]  # 40 points up to 11025 Hz
    points = mel_to_hertz(np.linspace(0, hertz_to_mel(11025), 40))
    np.testing.assert_allclose(points[[0, 1, 2, 11, 12, 13, 29, 38, 39]], known, atol=1e-3)


@given(st.floats(0, 20000))
def test_mel_scale_comes_back_and_rises(hertz: float) -> None:
    np.testing.assert_allclose(mel_to_hertz(hertz_to_mel(hertz)), hertz, rtol=1e-9, atol=1e-9)
    assert hertz_to_mel(hertz + 1) > hertz_to_mel(hertz)


def test_mel_filters_have_the_published_values() -> None:
    # librosa.filters.mel(sr=22050, n_fft=2048)
    filters = mel_filters(128, 22050, 2048)
    assert filters.shape == (128, 1025) and filters.dtype == np.float32
    first = [0, 0.016182853208219942, 0.032365706416439884, 0.028990088037379964, 0.012807234829160026, 0]
    second = [0, 0, 0, 0.009779235793639925, 0.025962089001859864, 0.035393705451959974, 0.01921085224374004]
    np.testing.assert_allclose(filters[0, :6], first, atol=1e-8)
    np.testing.assert_allclose(filters[1, :7], second, atol=1e-8)
    ours = mel_filters()
    assert ours.shape == (128, 513) and (ours.max(axis=1) > 0).all()
    # Every triangle holds the area 1 Hz; where a band is many frequencies wide, the sum over them shows it.
    np.testing.assert_allclose(ours[64:].sum(axis=1) * SAMPLE_RATE / WINDOW, 1, atol=0.02)


def test_window_is_symmetric() -> None:
    window = hann_window(WINDOW)
    assert window[0] == 0 and abs(window[-1]) < 1e-15
    np.testing.assert_allclose(window, window[::-1], atol=1e-15)
    np.testing.assert_allclose(window[341], 0.75, atol=1e-12)  # a third of the way: (1 - cos(2 pi / 3)) / 2


def chirp() -> np.ndarray:
    seconds = np.arange(SEGMENT_SAMPLES) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * (100 + 900 * seconds) * seconds)).astype(np.float32)


def test_a_segment_becomes_256_frames_of_128_bands() -> None:
    assert SEGMENT_SAMPLES == 65_280 == round(4.08 * SAMPLE_RATE)
    power = mel_power(chirp())
    assert power.shape == (256, 128) and power.dtype == np.float32 and (power >= 0).all()


@pytest.mark.parametrize("frame", [0, 1, 2, 100, 254, 255])
def test_a_frame_equals_the_plain_sum(frame: int) -> None:
    sound = chirp().astype(np.float64)
    places = np.arange(frame * HOP - WINDOW // 2, frame * HOP + WINDOW // 2)
    places = np.abs(places)  # mirrored at the start
    last = len(sound) - 1
    places = last - np.abs(last - places)  # and at the end
    windowed = sound[places] * np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / (WINDOW - 1)) for n in range(WINDOW)])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW // 2 + 1), np.arange(WINDOW)) / WINDOW)
    expected = mel_filters().astype(np.float64) @ np.abs(turns @ windowed) ** 2
    ours = mel_power(chirp())[frame]
    np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=1e-9)
    np.testing.assert_allclose(log_mel(ours)[0], np.log(np.clip(expected, 1e-5, 1e5)), atol=2e-5)


def test_a_pure_tone_has_the_power_of_its_amplitude() -> None:
    frequency, amplitude = 64, 0.25  # 64 periods in a window: 1000 Hz
    sound = amplitude * np.cos(2 * np.pi * frequency * np.arange(SEGMENT_SAMPLES) / WINDOW).astype(np.float32)
    power = mel_power(sound)[100]
    peak = (amplitude / 2 * hann_window(WINDOW).sum()) ** 2
    beside = peak / 4  # a Hann window halves the amplitude at the neighbouring frequencies
    filters = mel_filters()
    expected = filters[:, frequency] * peak + (filters[:, frequency - 1] + filters[:, frequency + 1]) * beside
    np.testing.assert_allclose(power, expected, rtol=5e-3, atol=peak * 1e-6)
    assert hertz_to_mel(1000) == pytest.approx(15) and power.argmax() == round(15 / (hertz_to_mel(8000) / 129)) - 1


def test_silence_is_zero_and_masked_not_the_logarithm_of_the_floor() -> None:
    sound = chirp()
    sound[30_000:] = 0
    power = mel_power(sound)
    cells, present = log_mel(power)
    silent = -(-(30_000 + WINDOW // 2) // HOP)
    assert not power[silent:].any() and not cells[silent:].any() and not present[silent:].any()
    assert present[: 30_000 // HOP].all()
    quiet, present = log_mel(np.array([[0.0, 1e-9, 1.0, 1e9]], dtype=np.float32))
    np.testing.assert_allclose(quiet, [[0, np.log(1e-5), 0, np.log(1e5)]], rtol=1e-6)
    assert present.tolist() == [[False, True, True, True]]


def test_patches_are_time_first_and_know_silence() -> None:
    power = np.arange(1, 64 * 32 + 1, dtype=np.float32).reshape(64, 32)
    power[16:32, 16:] = 0
    patches, mask = spectrogram_to_patches(Spectrogram(power), (64, 32), 16)
    assert patches.shape == (8, 256) and mask.tolist() == [1, 1, 1, 0, 1, 1, 1, 1]
    normal = (np.log(np.maximum(power, 1)) + 4.26) / 9.14
    np.testing.assert_allclose(patches[4], normal[32:48, :16].reshape(-1), rtol=1e-5)
    np.testing.assert_allclose(patches[3], 4.26 / 9.14, rtol=1e-6)  # 0 before it is normalised


def test_targets_come_back_as_power() -> None:
    power = np.random.default_rng(0).uniform(1e-4, 10, (64, 32)).astype(np.float32)
    power[8:16, :8] = 0
    target, mask = spectrogram_to_target(Spectrogram(power), (64, 32), (8, 8))
    assert target.shape == (64, 32, 1) and mask.reshape(8, 4).sum() == 31 and mask.reshape(8, 4)[1, 0] == 0
    present = power > 0
    np.testing.assert_allclose(target_to_power(target)[..., 0][present], power[present], rtol=1e-5)


def test_what_is_no_sound_is_refused() -> None:
    for wrong, message in [
        ([0.0], "list"),
        (np.zeros((2, 100), dtype=np.float32), r"float32 \[2, 100\]"),
        (np.zeros(100, dtype=np.int16), "int16.*to_mono"),
        (np.zeros(0, dtype=np.float32), "no samples"),
        (np.full(10, np.nan, dtype=np.float32), "-1, 1"),
        (np.full(10, 3000.0), "divide"),
    ]:
        with pytest.raises(AudioError, match=message):
            require_waveform(wrong)
    for wrong, message in [
        (np.zeros((1, 4, 4), dtype=np.float32), r"\[time, mel\]"),
        (np.zeros((4, 4), dtype=np.int32), "int32"),
        (np.full((4, 4), -1.0), "not its logarithm"),
        (np.full((4, 4), np.inf), "finite"),
    ]:
        with pytest.raises(AudioError, match=message):
            Spectrogram(wrong)
    with pytest.raises(AudioError, match="transpose"):
        spectrogram_to_patches(Spectrogram(np.zeros((32, 64), dtype=np.float32)), (64, 32), 16)
    with pytest.raises(AudioError, match=r"\(8, 32\)"):
        spectrogram_to_target(Spectrogram(np.zeros((8, 32), dtype=np.float32)), (64, 32), (8, 8))


def test_shared_tables_cannot_be_written() -> None:
    for table in (mel_filters(), hann_window(WINDOW)):
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 1


def test_frames_and_samples_agree() -> None:
    assert segment_samples(64) == 63 * 256
    assert mel_power(np.full(segment_samples(64), 0.1, dtype=np.float32), 32).shape == (64, 32)

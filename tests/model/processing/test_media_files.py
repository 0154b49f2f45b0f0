"""Sound and video files: what is read, which frames are taken, and what is said of files that cannot be read."""

import subprocess
import wave
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.processing.media_files import MediaError
from embodio.model.processing.processor import Processor
from embodio.model.processing.sound_files import read_sound
from embodio.model.processing.video_files import Clip, midpoints, read_video, trim_black_bars
from embodio.model.tokens.vocabulary import Vocabulary

FPS, FRAMES, SIDE = 10, 30, 48


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def tone(seconds: float, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 500 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        out.setsampwidth(samples.dtype.itemsize)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frame i is grey of brightness 40 + 5 i; black bars of 8 pixels above and below; a tone of 2 s."""
    folder = tmp_path_factory.mktemp("video")
    sound = write_wav(folder / "tone.wav", (tone(2, 16_000) * 32767).astype(np.int16), 16_000)
    frames = np.zeros((FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    frames[:, 8:-8] = (40 + 5 * np.arange(FRAMES, dtype=np.uint8))[:, None, None, None]
    path = folder / "video.mkv"
    writer = imageio_ffmpeg.write_frames(
        str(path), (SIDE, SIDE), fps=FPS, codec="ffv1", quality=None, audio_path=str(sound), macro_block_size=2
    )
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
    return path


@pytest.mark.parametrize(("dtype", "error"), [(np.int16, 2**-15), (np.int32, 2**-24)])
def test_wav_files_are_read_as_they_are(tmp_path: Path, dtype: type, error: float) -> None:
    sound = tone(0.1, 16_000)
    scale = np.iinfo(dtype).max
    path = write_wav(tmp_path / "a.wav", np.rint(sound.astype(np.float64) * scale).astype(dtype), 16_000)
    ours = read_sound(path)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, sound, atol=error)


def test_wav_files_of_one_and_three_bytes(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.array([0, 128, 192], dtype=np.uint8), 16_000)
    assert read_sound(path).tolist() == [-1, 0, 0.5]
    with wave.open(str(tmp_path / "b.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(3)
        out.setframerate(16_000)
        out.writeframes(b"\x00\x00\x80" + b"\x00\x00\x40" + b"\x00\x00\xc0")
    assert read_sound(tmp_path / "b.wav").tolist() == [-1, 0.5, -0.5]


def test_channels_and_rates_become_mono_at_16_khz(tmp_path: Path) -> None:
    left = tone(0.5, 44_100)
    stereo = (np.stack([left, np.zeros_like(left)], axis=1) * 32767).astype(np.int16)
    ours = read_sound(write_wav(tmp_path / "a.wav", stereo, 44_100))
    assert len(ours) == 8000
    np.testing.assert_allclose(ours[400:-400], tone(0.5, 16_000)[400:-400] / 2, atol=1e-3)


@pytest.mark.parametrize("options", [("-c:a", "pcm_f32le", "b.wav"), ("-c:a", "flac", "b.flac")])
def test_other_files_are_read_by_pyav(tmp_path: Path, options: tuple[str, ...]) -> None:
    sound = tone(0.25, 16_000)
    plain = write_wav(tmp_path / "a.wav", (sound * 32767).astype(np.int16), 16_000)
    ffmpeg("-i", plain, *options[:-1], tmp_path / options[-1])
    np.testing.assert_allclose(read_sound(tmp_path / options[-1]), read_sound(plain), atol=1e-4)


def test_frames_lie_at_the_middle_of_equal_parts(video: Path) -> None:
    clip = read_video(video, 5, sound=False)
    shades = [int(np.median(frame)) for frame in clip.frames]
    # Parts of 0.6 s: the middles are 0.3, 0.9, ... s, so frames 3, 9, 15, 21, 27.
    np.testing.assert_allclose(shades, [40 + 5 * i for i in (3, 9, 15, 21, 27)], atol=2)
    assert clip.frames[0].shape == (SIDE - 16, SIDE, 3) and not clip.sounds
    assert read_video(video, 1, sound=False, trim=False).frames[0].shape == (SIDE, SIDE, 3)


def test_the_sound_of_each_part_belongs_to_its_frame(video: Path) -> None:
    clip = read_video(video, 3)
    assert [len(sound) for sound in clip.sounds] == [65_280] * 3
    loud = [np.count_nonzero(np.abs(sound) > 1e-3) > 10_000 for sound in clip.sounds]
    assert loud == [True, True, False]  # the tone is as long as two of the three parts
    peak = np.abs(np.fft.rfft(clip.sounds[0])).argmax() * 16_000 / 65_280
    assert abs(peak - 500) < 2
    assert [len(sound) for sound in read_video(video, 3, segment=4_000).sounds] == [4_000] * 3


def test_more_parts_than_frames_end_with_the_last_frame(video: Path) -> None:
    last = read_video(video, 40, sound=False).frames[-1]
    assert abs(int(np.median(last)) - (40 + 5 * (FRAMES - 1))) <= 2


def test_a_clip_becomes_an_example(video: Path) -> None:
    clip = read_video(video, 3)
    vocabulary = Vocabulary.default()
    features = Processor(ModelConfig.named("large"), vocabulary)(Example(text="what?", **clip.inputs()))
    assert features["inputs/image_history/mask"].any(axis=1).tolist() == [True, True, False, False]
    assert features["inputs/audio_history/mask"].any(axis=1).tolist() == [True, True, False, False]
    assert not features["inputs/audio/mask"].any()  # the last part is silent


def test_the_main_part_of_a_clip_can_be_chosen() -> None:
    frames = tuple(np.full((2, 2, 3), i, dtype=np.uint8) for i in range(3))
    clip = Clip(frames)
    assert clip.inputs()["image"] is frames[2] and set(clip.inputs()) == {"image", "image_history"}
    middle = clip.inputs(main_frame=1)
    assert middle["image"] is frames[1] and [int(f[0, 0, 0]) for f in middle["image_history"]] == [0, 2]
    assert set(clip.inputs(main_frame=None)) == {"image_history"}
    assert set(Clip(frames[:1]).inputs()) == {"image"}
    with pytest.raises(MediaError, match="no part 3 of 3"):
        clip.inputs(main_frame=3)


def test_frames_in_memory() -> None:
    assert midpoints(30, 5).tolist() == [3, 9, 15, 21, 27] and midpoints(2, 4).tolist() == [0.25, 0.75, 1.25, 1.75]
    np.testing.assert_allclose(midpoints(3.0, 2), [0.75, 2.25])


def test_black_bars_are_cut_off_up_to_a_share() -> None:
    frames = np.zeros((2, 20, 40, 3), dtype=np.uint8)
    frames[1, 4:15, 6:, 1] = 16
    assert trim_black_bars(frames).shape == (2, 11, 34, 3)
    assert trim_black_bars(frames, threshold=17).shape[1:3] == (8, 16)  # all black: 30 % at each side
    assert trim_black_bars(frames, most=0.1).shape[1:3] == (16, 36)


def test_files_that_cannot_be_read(tmp_path: Path, video: Path) -> None:
    with pytest.raises(MediaError, match=r"no\.mp4: there is no such file"):
        read_video(tmp_path / "no.mp4")
    with pytest.raises(MediaError, match=r"no\.wav: there is no such file"):
        read_sound(tmp_path / "no.wav")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing" * 500)
    for read in (read_sound, read_video):
        with pytest.raises(MediaError, match=r"broken\.mp4: it cannot be read: .*Invalid data"):
            read(broken)
    mute = tmp_path / "mute.mkv"
    ffmpeg("-i", video, "-an", "-c", "copy", mute)
    with pytest.raises(MediaError, match="has no sound"):
        read_sound(mute)
    assert not read_video(mute, 1).sounds
    with pytest.raises(MediaError, match="has no pictures"):
        read_video(write_wav(tmp_path / "a.wav", np.zeros(100, dtype=np.int16), 16_000))
    with pytest.raises(MediaError, match="no samples"):
        read_sound(write_wav(tmp_path / "b.wav", np.zeros(0, dtype=np.int16), 16_000))
    with pytest.raises(MediaError, match="0 frames"):
        read_video(video, 0)

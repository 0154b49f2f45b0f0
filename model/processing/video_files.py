"""Video files: reads a few frames spread over a video, and the sound around each of them."""

import bisect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.model.processing.audio import SEGMENT_SAMPLES, segments_of_parts
from embodio.model.processing.image import Frame
from embodio.model.processing.media_files import MediaError
from embodio.model.processing.sound_files import read_sound
from embodio.model.processing.video_stream import VideoStream

Floats = npt.NDArray[np.float32]

# Times in a container may be rounded to a millisecond; a frame that begins this much early counts as being there.
_ROUNDING = 5e-4


@dataclass(frozen=True, eq=False)
class Clip:
    """The frames and sounds of a video that the model reads.

    Attributes:
        frames: uint8 [H, W, 3] each, RGB, upright, oldest first.
        sounds: for each frame the segment of sound around it, float32 [samples] at 16 kHz; empty without sound.
    """

    frames: tuple[Frame, ...]
    sounds: tuple[Floats, ...] = ()

    def inputs(self, main_frame: int | None = -1, main_sound: int | None = -1) -> dict[str, Any]:
        """Spreads the clip over the fields of an example: `Example(text=..., **clip.inputs())`.

        Args:
            main_frame: which frame is the main image, the last by default; the others are the image history. None: all.
            main_sound: the same for the sounds.

        Returns:
            The fields image, image_history, audio and audio_history, those that there is something for.

        Raises:
            MediaError: there is no such frame or sound.
        """
        fields: dict[str, Any] = {}
        for name, parts, main in (("image", self.frames, main_frame), ("audio", self.sounds, main_sound)):
            rest = list(parts)
            if main is not None and parts:
                if not -len(parts) <= main < len(parts):
                    raise MediaError(f"main {name}: there is no part {main} of {len(parts)}")
                fields[name] = rest.pop(main)
            if rest:
                fields[f"{name}_history"] = rest
        return fields


def read_video(
    path: str | Path, frames: int = 5, sound: bool = True, trim: bool = True, segment: int = SEGMENT_SAMPLES
) -> Clip:
    """Reads frames at the middle of equal parts of a video, and the sound of each part.

    Args:
        path: mp4, mkv, webm, avi, gif or another container that ffmpeg reads.
        frames: how many; for the main image and all slots of the history, `config.sampling.num_frames + 1`.
        sound: read the sound as well, if the video has one: the middle 4.08 s of each part, or all of a shorter part.
        trim: cut off black bars (`trim_black_bars`).
        segment: samples of a segment of sound, `segment_samples(config.audio_size[0])` of a model that does not have
            the released ones' 4.08 s.

    Raises:
        MediaError: the file is absent or damaged, has no pictures, or `frames` is below 1.
    """
    if frames < 1:
        raise MediaError(f"{path}: cannot take {frames} frames; at least one is needed")
    video = VideoStream(path)
    try:
        pictures, seconds = _spread(video, frames)
        has_sound = video.has_sound()
    finally:
        video.close()
    if trim:
        pictures = trim_black_bars(pictures)
    sounds = segments_of_parts(read_sound(path), seconds, frames, segment) if sound and has_sound else []
    return Clip(tuple(pictures), tuple(sounds))


def midpoints(length: float, parts: int) -> Floats:
    """Returns the middle of each of the equal parts of a length, float64 [parts], in its unit (say seconds)."""
    return (np.arange(parts) + 0.5) * (length / parts)


def trim_black_bars(frames: Frame, threshold: int = 16, most: float = 0.3) -> Frame:
    """Cuts off the black bars around a video.

    Args:
        frames: uint8 [T, H, W, 3].
        threshold: a row or column is black if no pixel of it reaches this in any frame and colour.
        most: the largest share of the height or width that is cut off at one side.

    Returns:
        uint8 [T, H', W', 3], a view.
    """
    lit = frames.max(axis=(0, 3)) >= threshold
    (top, bottom), (left, right) = (_kept(lit.any(axis=axis), most) for axis in (1, 0))
    return frames[:, top:bottom, left:right]


def _kept(lit: npt.NDArray[np.bool_], most: float) -> tuple[int, int]:
    """Returns the range of rows or columns to keep; a black picture counts as lit in its middle."""
    places, size = np.flatnonzero(lit), len(lit)
    first, last = (int(places[0]), int(places[-1])) if places.size else (size // 2, size // 2)
    return min(first, int(size * most)), max(last + 1, int(size * (1 - most)))


def _spread(video: VideoStream, parts: int) -> tuple[Frame, float]:
    """Reads the first frame from the middle of each part on, or the last frame of all; returns the length as well."""
    index, times = video.index, video.index.times
    seconds = float(index.end * index.unit) - float(times[0])
    if seconds <= 0:
        raise MediaError(f"{video.path}: the video has no length; read a single picture with an image library")
    places = [bisect.bisect_left(times, times[0] + middle - _ROUNDING) for middle in midpoints(seconds, parts)]
    return np.stack([video.picture(min(place, len(video) - 1)) for place in places]), seconds

"""Video files -> a few frames spread over their length, and the sound around each of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.model.audio_segments import SEGMENT_SAMPLES, segments_of_parts
from embodio.model.ffmpeg import MediaError, run_ffmpeg
from embodio.model.sound_files import read_sound

Floats = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]

# In the list of packets: the unit of time in seconds, and when each packet is shown and for how long.
_TIME_UNIT = re.compile(rb"#tb 0: (\d+)/(\d+)")
_PACKET = re.compile(rb"^0, *-?\d+, *(-?\d+), *(\d+),", re.MULTILINE)
_SOUND = re.compile(r"Stream #0:\d+.*: Audio:")
_PICTURE = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")
# Where the last frame is looked for when none begins after the wanted time, in seconds before it.
_LOOK_BACK = 2.0


@dataclass(frozen=True, eq=False)
class Clip:
    """What the model is given of a video.

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
            The fields image, image_history, audio and audio_history as far as there is something for them.

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
        path: mp4, mkv, webm, avi, gif or whatever else ffmpeg reads.
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
    seconds, has_sound = _probe(path)
    pictures = np.stack([_frame_at(path, time) for time in midpoints(seconds, frames)])
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


def _probe(path: str | Path) -> tuple[float, bool]:
    """Returns the length of the pictures in seconds, and whether there is sound; decodes nothing."""
    try:
        packets, said = run_ffmpeg(path, ["-map", "0:v:0", "-c", "copy", "-f", "framecrc", "pipe:1"])
    except MediaError as error:
        if "matches no streams" in str(error):
            raise MediaError(f"{path}: the file has no pictures; read its sound with read_sound") from error
        raise
    unit, ends = _TIME_UNIT.search(packets), [int(pts) + int(span) for pts, span in _PACKET.findall(packets)]
    if unit is None or not ends or max(ends) <= 0:
        raise MediaError(f"{path}: the video has no length; read a single picture with an image library")
    return max(ends) * int(unit[1]) / int(unit[2]), bool(_SOUND.search(said))


def _frame_at(path: str | Path, seconds: float) -> Frame:
    """Returns the first frame that begins at or after a time, the last of the video if there is none."""
    picture = ["-map", "0:v:0", "-f", "image2pipe", "-c:v", "ppm", "pipe:1"]
    data, _ = run_ffmpeg(path, ["-frames:v", "1", *picture], ["-ss", f"{seconds:.3f}"])
    if not data:
        data, _ = run_ffmpeg(path, picture, ["-ss", f"{max(0.0, seconds - _LOOK_BACK):.3f}"])
    last = None
    while data:
        header = _PICTURE.match(data)
        if header is None:
            break
        width, height = int(header[1]), int(header[2])
        end = header.end() + width * height * 3
        last, data = np.frombuffer(data[header.end() : end], dtype=np.uint8).reshape(height, width, 3), data[end:]
    if last is None:
        raise MediaError(f"{path}: there is no frame at {seconds:.3f} s; the file may be cut off")
    return last

"""Decoding of images, sounds and videos of a corpus, with limits that keep one file from taking all memory."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL import ImageOps, UnidentifiedImageError

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.errors import FeatureError
from embodio.datasets.records.record import Media, Video
from embodio.datasets.records.settings import Origin, RecordSettings, leave_out, refuse
from embodio.model.errors import ModelError
from embodio.model.example import Image, Waveform
from embodio.model.processing.audio import resample, to_mono
from embodio.model.processing.media_files import MediaError, open_media, unreadable
from embodio.model.processing.sound_files import SoundTooLong, read_sound

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

IMAGES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm")
SOUNDS = ("wav", "flac", "ogg", "oga", "opus", "mp3", "m4a", "aac", "aiff")
VIDEOS = ("mp4", "webm", "mkv", "mov", "avi", "m4v", "mpg", "mpeg")
"""Endings of file names, in lower case."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
_FAULTS = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, ZeroDivisionError, OverflowError)
_ORIENTATION = 0x0112  # the EXIF tag
_RATES = range(1_000, 1_000_000)  # samples a second
Read = Callable[[], bytes]


def image_media(read: Read, origin: Origin, settings: RecordSettings) -> Media[Image]:
    """The image that the bytes of a file hold, upright, uint8 [H, W, 3]; transparent parts are white."""
    return Media(lambda: decoded_image(read(), origin, settings))


def sound_media(read: Read, origin: Origin, settings: RecordSettings) -> Media[Waveform]:
    """The sound that the bytes of a file hold, mono 16 kHz float32 [samples] in [-1, 1]."""
    return Media(lambda: decoded_sound(read(), origin, settings))


def video_media(read: Read, origin: Origin, settings: RecordSettings) -> Media[Video]:
    """The video that the bytes of a file hold."""
    return Media(lambda: decoded_video(read(), origin, settings))


def decoded_image(data: bytes, origin: Origin, settings: RecordSettings) -> npt.NDArray[np.uint8]:
    """Decodes an image; raises CorruptRecordError if it is damaged, UnusableRecord beyond a limit of the settings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's own limit, and of odd metadata
            with Pictures.open(io.BytesIO(data), formats=_FORMATS) as picture:
                _require_size(picture.width, picture.height, origin, settings)
                plain = picture.mode == "RGB" and "transparency" not in picture.info
                if plain and picture.format in ("JPEG", "PNG") and picture.getexif().get(_ORIENTATION, 1) == 1:
                    if picture.format == "PNG":
                        return decode_image(data)
                    picture.load()  # raises where the others fill in grey
                    return np.asarray(picture)
                return _upright(picture)
    except Pictures.DecompressionBombError as error:
        leave_out(origin, f"an image that Pillow takes for a decompression bomb ({error})")
    except (*_FAULTS, FeatureError) as error:
        refuse(origin, f"the image cannot be decoded ({error})", error)


def numbers_of_image(data: bytes, origin: Origin, settings: RecordSettings) -> npt.NDArray[Any]:
    """The numbers of an image as stored, [H, W] or [H, W, C], for depth, masks and normals; errors as above."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pictures.open(io.BytesIO(data), formats=_FORMATS) as picture:
                _require_size(picture.width, picture.height, origin, settings)
                return np.asarray(picture)
    except Pictures.DecompressionBombError as error:
        leave_out(origin, f"an image that Pillow takes for a decompression bomb ({error})")
    except _FAULTS as error:
        refuse(origin, f"the image cannot be decoded ({error})", error)


def _upright(picture: Pictures.Image) -> npt.NDArray[np.uint8]:
    """The pixels of any kind of image, turned as its metadata says."""
    turned = ImageOps.exif_transpose(picture)
    if turned.mode.startswith("I;16") or turned.mode in ("I", "F"):  # Pillow would clip, not scale
        deep = np.asarray(turned).astype(np.float64)
        grey = np.clip(deep / 257.0, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if turned.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in turned.info:
        whole = turned.convert("RGBA")
        white = Pictures.new("RGBA", whole.size, (255, 255, 255, 255))
        turned = Pictures.alpha_composite(white, whole)
    return np.asarray(turned.convert("RGB"))


def _require_size(width: int, height: int, origin: Origin, settings: RecordSettings) -> None:
    if width * height > settings.largest_image:
        leave_out(origin, f"an image of {width} x {height} pixels, more than largest_image={settings.largest_image}")
    if min(width, height) < settings.smallest_side:
        leave_out(origin, f"an image of {width} x {height} pixels, less than smallest_side={settings.smallest_side}")
    if max(width, height) > settings.most_elongated * min(width, height):
        limit = f"most_elongated={settings.most_elongated:g}"
        leave_out(origin, f"an image of {width} x {height} pixels, thinner than {limit}")


def checked_pixels(pixels: npt.NDArray[Any], origin: Origin, settings: RecordSettings) -> npt.NDArray[np.uint8]:
    """An image that is stored as numbers, uint8 [H, W, 3], [H, W, 1] or [H, W]; errors as those of an image file."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype != np.uint8:
        refuse(origin, f"an image as numbers must be uint8 [H, W, 1 or 3], found {pixels.dtype} {pixels.shape}")
    _require_size(pixels.shape[1], pixels.shape[0], origin, settings)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def decoded_sound(data: bytes, origin: Origin, settings: RecordSettings) -> Waveform:
    """Decodes a sound; raises CorruptRecordError if it is damaged or undefined, UnusableRecord if empty or too long."""
    try:
        sound = read_sound(origin.path, data, settings.longest_sound)
    except SoundTooLong:
        leave_out(origin, f"a sound of more than longest_sound={settings.longest_sound:g} s")
    except (ModelError, ValueError, OSError) as error:
        refuse(origin, f"the sound cannot be decoded ({error})", error)
    return _sane(sound, origin)


def checked_sound(samples: npt.NDArray[Any], rate: float, origin: Origin, settings: RecordSettings) -> Waveform:
    """A sound that is stored as numbers, [samples] or [samples, channels]; errors as those of a sound file."""
    if not np.isfinite(rate) or int(rate) not in _RATES:
        refuse(origin, f"a sound of {rate} Hz")
    if len(samples) > settings.longest_sound * rate:
        leave_out(origin, f"a sound of more than longest_sound={settings.longest_sound:g} s")
    if samples.dtype == np.float64:
        samples = samples.astype(np.float32)
    try:
        return _sane(resample(to_mono(samples), int(rate)), origin)
    except ModelError as error:
        refuse(origin, str(error), error)


def _sane(sound: Waveform, origin: Origin) -> Waveform:
    if not len(sound):
        leave_out(origin, "the sound has no samples")
    if not np.isfinite(sound).all():
        refuse(origin, "the sound has samples that are not numbers")
    return np.clip(sound, -1.0, 1.0)


def decoded_video(data: bytes, origin: Origin, settings: RecordSettings) -> Video:
    """Decodes a video; of more frames than the limit every second, fourth, ... is kept.

    Raises:
        CorruptRecordError: it is damaged, or has no frames.
        UnusableRecord: it has no pictures, or their pixels are beyond the limit.
    """
    import av
    from av.video.reformatter import VideoReformatter

    try:
        container = open_media(origin.path, data)
    except MediaError as error:
        refuse(origin, f"the video cannot be opened ({error})", error)
    try:
        if not container.streams.video:
            leave_out(origin, "the video has no pictures")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        _require_size(stream.codec_context.width, stream.codec_context.height, origin, settings)
        rate = float(stream.average_rate or stream.guessed_rate or Fraction(25))
        kept, step, reformatter = list[npt.NDArray[np.uint8]](), 1, VideoReformatter()
        for number, frame in enumerate(container.decode(stream)):
            if number % step == 0:
                kept.append(_pixels(frame, settings.video_side, reformatter))
            if len(kept) > settings.most_frames:
                kept, step = kept[::2], 2 * step
    except (av.FFmpegError, ValueError, MemoryError) as error:
        refuse(origin, f"the video cannot be decoded ({unreadable(origin.path, error)})", error)
    finally:
        has_sound = bool(container.streams.audio)
        container.close()
    if not kept or len({frame.shape for frame in kept}) > 1:
        refuse(origin, "the video has no frames, or frames of several sizes")
    sound = decoded_sound(data, origin, settings) if has_sound else None
    return Video(frames=np.stack(kept), rate=rate / step, sound=sound)


def _pixels(frame: VideoFrame, side: int, reformatter: VideoReformatter) -> npt.NDArray[np.uint8]:
    """A frame as uint8 [H, W, 3], neither side longer than `side`."""
    scale = min(1.0, side / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    colours = reformatter.reformat(frame, width=width, height=height, format="rgb24", threads=1)
    return np.asarray(colours.to_ndarray(), np.uint8)

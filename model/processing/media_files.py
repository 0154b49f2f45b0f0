"""Sound and video files: opens them with PyAV and converts its failures to typed errors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from embodio.model.errors import ModelError

if TYPE_CHECKING:
    from av.container import InputContainer

# Containers that hold their own frames. Playlists are left out: they would open whatever files and addresses they name.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,apng,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,obu,ogg,asf,flv,nut,"
    "mjpeg,mxf,rm,dv,wav,w64,aiff,caf,au,flac,mp3,aac,ac3,eac3,amr,ape,tta,wv"
)
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}


class MediaError(ModelError, OSError):
    """A sound or video file is absent, damaged or lacks the requested stream; the message names the file."""


def open_media(path: str | Path, data: bytes | None = None) -> InputContainer:
    """Opens a sound or video file; nothing else is opened on its behalf.

    Args:
        path: the file.
        data: its content, of a file that is part of another one; `path` is then only a name for errors.

    Raises:
        MediaError: the file is absent or damaged, or is not a sound or video file.
    """
    import av

    # The prefix keeps names such as "concat:a" from meaning something.
    source = f"file:{require_file(path)}" if data is None else io.BytesIO(data)
    try:
        return av.open(source, mode="r", container_options=dict(_OPTIONS), metadata_errors="replace")
    except av.FFmpegError as error:
        raise unreadable(path, error) from error


def require_file(path: str | Path) -> Path:
    """Returns the absolute path of a file; raises MediaError if there is none."""
    file = Path(path).resolve()
    if not file.is_file():
        raise MediaError(f"{path}: there is no such file")
    return file


def unreadable(path: str | Path, error: Exception) -> MediaError:
    """Returns the error of a file that PyAV refuses, with PyAV's reason."""
    reason = getattr(error, "strerror", None) or str(error)
    return MediaError(f"{path}: it cannot be read: {reason}; is it a complete sound or video file?")

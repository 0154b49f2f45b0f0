"""Runs the ffmpeg program that comes with the package imageio-ffmpeg, and turns its failures into typed errors."""

import re
import subprocess
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

from embodio.model.errors import ModelError

# What ffmpeg says last, after the reason.
_CLOSING_WORDS = (
    "Error opening input file",
    "Error opening output file",
    "Error parsing options",
    "Failed to set value",
    "To ignore this",
    "Conversion failed",
)


class MediaError(ModelError, OSError):
    """A sound or video file that is absent, damaged or lacks what was asked of it; the message names the file."""


def run_ffmpeg(path: str | Path, output: list[str], before: list[str] | None = None) -> tuple[bytes, str]:
    """Reads one file with ffmpeg.

    Args:
        path: the file.
        output: options of the output, after the input file.
        before: options of the input, before it.

    Returns:
        What ffmpeg wrote to its standard output, and what it said about the file.

    Raises:
        MediaError: there is no such file, or ffmpeg cannot do it.
    """
    file = require_file(path)
    # The prefix keeps names such as "concat:a" and "-y" from meaning something.
    command = [get_ffmpeg_exe(), "-nostdin", "-hide_banner", *(before or []), "-i", f"file:{file}", *output]
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise MediaError(f"{path}: ffmpeg cannot read it: {_reason(said)}; is it a complete sound or video file?")
    return done.stdout, said


def require_file(path: str | Path) -> Path:
    """Returns the absolute path of a file; raises MediaError if there is none."""
    file = Path(path).resolve()
    if not file.is_file():
        raise MediaError(f"{path}: there is no such file")
    return file


def _reason(said: str) -> str:
    """Returns the line of ffmpeg's words that says most, without the address of the part that says it."""
    lines = [re.sub(r"^\[[^]]* @ 0x\w+\] ", "", line.strip()) for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_CLOSING_WORDS)]
    return (telling or lines or ["it gives no reason"])[-1]

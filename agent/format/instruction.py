"""Instructions for a robot: checks words, images and sounds and converts them to one format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from embodio.agent.errors import ObservationError
from embodio.agent.format.observation import read_image
from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.sound import latest_segments, read_sound
from embodio.model.processing.recordings import has_rate, is_recording

AnyInstruction = str | Sequence[Any]
"""Words; or words, images (uint8 [H, W, 3]) and sounds (float32 [samples] at 16 kHz) in order, where the policy has
`prompt_images` and `prompt_sounds`."""


def read_instruction(config: PolicyConfig, given: Any) -> AnyInstruction:
    """Checks the instruction of one episode.

    Args:
        config: what the policy reads.
        given: text; a spoken instruction, samples at 16 kHz or with their rate, (samples, rate); or a list of texts,
            RGB images and such sounds, in order.

    Returns:
        Text, or a list of texts, images uint8 [H, W, 3] and sounds float32 [samples] of at most one segment each.

    Raises:
        ObservationError: the policy cannot read it; the message lists what it can read.
    """
    if isinstance(given, str):
        return _text(given)
    if is_recording(given):
        given = [given]
    if not isinstance(given, list | tuple):
        raise ObservationError(f"instruction: expected {_readable(config)}, got {type(given).__name__}")
    parts: list[Any] = []
    for index, part in enumerate(given):
        name = f"instruction[{index}]"
        if isinstance(part, str):
            parts.append(_text(part, name))
        elif is_recording(part):
            _require_slots(config, config.prompt_sounds, "sound")
            parts += latest_segments(read_sound(name, part))
        elif isinstance(part, np.ndarray):
            _require_slots(config, config.prompt_images, "an image")
            parts.append(read_image(name, part))
        else:
            raise ObservationError(f"{name}: expected {_readable(config)}, got {type(part).__name__}")
    if not parts:
        raise ObservationError(f"instruction: an empty list; expected {_readable(config)}")
    _require_capacity(config, parts)
    return parts


def instructions_of_rows(given: Any) -> Sequence[Any] | None:
    """The instructions of N rows from a tuple or an array of texts; None if `given` is one (a list is its parts)."""
    if isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind in "UO":
        given = tuple(given.tolist())
    if has_rate(given) or isinstance(given, str | bytes | list) or not isinstance(given, Sequence):
        return None
    if not given:
        raise ObservationError("instruction: there are none; give one for each row")
    return tuple(given)


def distinct(instruction: AnyInstruction, dimensions: int) -> list[Any]:
    """The distinct images (3 dimensions) or sounds (1) of an instruction, in order of first use."""
    found: list[Any] = []
    for part in () if isinstance(instruction, str) else instruction:
        if not isinstance(part, str) and part.ndim == dimensions and not place_among(part, found):
            found.append(part)
    return found


def place_among(part: Any, found: Sequence[Any]) -> int:
    """The position from 1 of an image or sound in `found`; 0 if it is not there."""
    same = (i for i, other in enumerate(found, start=1) if part is other or np.array_equal(part, other))
    return next(same, 0)


def _text(text: str, name: str = "instruction") -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ObservationError(f"{name}: character {error.start} is a lone surrogate; give proper text") from error
    return str(text)


def _readable(config: PolicyConfig) -> str:
    sounds = "sounds as samples at 16 kHz or (samples, rate)"
    kinds = ["images"] * bool(config.prompt_images) + [sounds] * bool(config.prompt_sounds)
    return f"text, or a list of texts, {' and '.join(kinds)}" if kinds else "text"


def _require_slots(config: PolicyConfig, slots: int, what: str) -> None:
    if not slots:
        raise ObservationError(f"instruction: {what} was given, but this policy reads {_readable(config)}")


def _require_capacity(config: PolicyConfig, parts: Sequence[Any]) -> None:
    for what, dimensions, slots in (("images", 3, config.prompt_images), ("sounds", 1, config.prompt_sounds)):
        count = len(distinct(parts, dimensions))
        if count > slots:
            unit = " segments of 4.08 s" if what == "sounds" else ""
            raise ObservationError(
                f"instruction: {count} {what}{unit}, but there are slots for {slots}; give fewer or shorter ones"
            )

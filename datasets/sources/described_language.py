"""The instruction at the fields that a description names, in all its paraphrases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import INSTRUCTION, METADATA, STEPS, EpisodeFeatures, TensorFeature, TextFeature
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import FeatureError
from embodio.datasets.sources.description import Description, InstructionFields


def require_language(base: EpisodeFeatures, description: Description) -> None:
    """Checks the fields that a description names; raises FeatureError if one is missing or is not text."""
    numbers = description.instruction.encoding != "text"
    for key in (key for group in description.instruction.keys for key in group):
        feature = base.steps.get(key) if numbers else _found(base, key)[1]
        if not isinstance(feature, TensorFeature if numbers else TextFeature):
            texts = [path for path, other in {**base.steps, **base.episode}.items() if isinstance(other, TextFeature)]
            texts += [path for path, several in base.sequences.items() if isinstance(several.item, TextFeature)]
            raise FeatureError(
                f"{description.path}: the instruction's field {key!r} is not in the data, or is not text; texts are in "
                f"{', '.join(sorted(texts)) or 'no field'}"
            )


def wordings_of(base: EpisodeView, described: InstructionFields, step: int) -> tuple[str, ...]:
    """The instruction of one step in all its paraphrases, each once; at least one text, which may be empty."""
    for group in described.keys:
        found = tuple(dict.fromkeys(text for key in group for text in _said(base, key, described, step) if text))
        if found:
            return found
    return (described.text,)


def _found(base: EpisodeFeatures, key: str) -> tuple[str, Any]:
    """Full path and feature of a text field; "steps/" and "episode_metadata/" may be left out."""
    for path in (key, f"{METADATA}/{key}"):
        if path in base.steps or path in base.episode:
            return path, base.steps.get(path) or base.episode.get(path)
    for path in (key, f"{STEPS}/{key}", f"{METADATA}/{key}"):
        if path in base.sequences:
            return path, base.sequences[path].item
    return key, None


def _said(base: EpisodeView, key: str, described: InstructionFields, step: int) -> tuple[str, ...]:
    if described.encoding != "text":
        return (_decoded(f"{key} at step {step}", base.array(key)[step], described.encoding),)
    if key == INSTRUCTION:
        return tuple(text.strip() for text in base.wordings(step))
    path, _ = _found(base.features, key)
    if path in base.features.steps:
        return (base.text(path, step).strip(),)
    if path in base.features.sequences:
        several = base.sequence(path, step if path.startswith(f"{STEPS}/") else None)
        return tuple(str(text).strip() for text in several)
    return (str(base.value(path)).strip(),)


def _decoded(where: str, numbers: npt.NDArray[Any], encoding: str) -> str:
    """The text that numbers encode, up to the first zero."""
    most = 0xFF if encoding == "bytes" else 0x10FFFF
    if numbers.size and (numbers.min() < 0 or numbers.max() > most):
        raise FeatureError(f"{where}: numbers that are not {'bytes' if encoding == 'bytes' else 'characters'}")
    found = numbers[: int(np.argmin(numbers != 0))] if (numbers == 0).any() else numbers
    if encoding == "codepoints":
        return "".join(map(chr, found.tolist())).strip()
    try:
        return bytes(found.tolist()).decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise FeatureError(f"{where}: bytes that are not UTF-8 text ({error})") from error

"""Requests, checked before they are written: the annotation's class, types and media, the options and the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.model.generation import GenerationOptions, Sampling
from embodio.model.network.network import UnifiedIO2
from embodio.model.tasks.base.family import A, Family, InputMedia
from embodio.model.tasks.base.sense import fields_of
from embodio.model.tasks.errors import TaskError

_GIVEN: Mapping[str, str] = {"image": "image=...", "sound": "audio=..."}
"""Kind of media -> how it is given."""


def require_request(family: Family[A], asked: object) -> None:
    """Checks that an annotation is of the family's class, that its texts are texts, and that no medium is missing.

    Raises:
        TaskError: one of these is not so; the message names the field.
    """
    wanted = family.annotation
    if not isinstance(asked, wanted):
        raise TaskError(f"asked: {family.name} expects a {wanted.__name__}, found {_found(asked)}")
    kind: Any = type(asked)
    for field in fields_of(kind):
        value = getattr(asked, field.name)
        if value is None and field.may_be_none:
            continue
        of_one_class = field.kind is str or is_dataclass(field.kind)
        if field.kind == tuple[str, ...]:
            if not isinstance(value, tuple | list) or not all(isinstance(one, str) for one in value):
                raise TaskError(f"{field.name}: expected a list of texts, found {_found(value)}")
        elif of_one_class and not isinstance(value, field.kind):
            expected = "text" if field.kind is str else field.kind.__name__
            raise TaskError(f"{field.name}: expected {expected}, found {_found(value)}")
    if family.needs and not any(_has(asked.media, kind) for kind in family.needs):
        given = " or ".join(f"InputMedia({_GIVEN[kind]})" for kind in family.needs)
        raise TaskError(f"media: {family.name} is about {_listed(family.needs)}, and there is none; give media={given}")


def require_options(options: object) -> None:
    """Raises TaskError unless it is GenerationOptions."""
    if not isinstance(options, GenerationOptions):
        raise TaskError(f"options: expected GenerationOptions, found {_found(options)}")


def sampled(options: GenerationOptions | None, top_p: float) -> GenerationOptions:
    """The given options, or top-p sampling if there are none; raises TaskError for anything else."""
    if options is None:
        return GenerationOptions(sampling=Sampling(top_p=top_p))
    require_options(options)
    return options


def require_able(model: UnifiedIO2, modality: str) -> None:
    """Raises TaskError unless a network is in evaluation mode and makes a modality."""
    if model.training:
        raise TaskError("model: it is in training mode; call model.eval() first")
    if modality not in model.targets:
        raise TaskError(f"model: this task makes {modality}, but the model makes {list(model.targets)} only")
    if modality != "text" and modality not in model.tokenizers:
        raise TaskError(
            f"model: this task makes {modality}, for which the model's tokeniser is needed; "
            "load it with tokenizers=True"
        )


def box_of(name: str, box: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """One box (y1, x1, y2, x2), float32 [4]; raises TaskError if it is not four finite numbers."""
    try:
        place = np.asarray(box, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise TaskError(f"{name}: expected four numbers y1, x1, y2, x2 in pixels, found {box!r:.80}") from error
    if place.shape != (4,) or not np.isfinite(place).all():
        raise TaskError(f"{name}: expected four numbers y1, x1, y2, x2 in pixels, found {box!r:.80}")
    return place


def _has(media: InputMedia, kind: str) -> bool:
    return media.has_images if kind == "image" else media.has_sounds


def _listed(kinds: tuple[str, ...]) -> str:
    return " or ".join(f"{'an' if kind == 'image' else 'a'} {kind}" for kind in kinds)


def _found(value: object) -> str:
    return type(value).__name__ if value is None or not isinstance(value, int | float | str) else repr(value)[:50]

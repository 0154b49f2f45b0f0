"""Answers of `Agent` as plain values for a message, and back: distributions, judgements, texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from embodio.agent.answers import ActionResult, DimensionDistribution, Judgement
from embodio.agent.client.errors import MessageError


@dataclass(frozen=True)
class TextReply:
    """A text, as `embodio.model.tasks.TextAnswer` is, which this side may not have.

    Attributes:
        text: what the model wrote.
        log_probability: of its tokens together, in nats.
    """

    text: str
    log_probability: float


def to_plain(value: Any) -> Any:
    """An answer as maps, lists, tuples, arrays, numbers and text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return type(value)([to_plain(item) for item in value])
    return dict(value) if isinstance(value, Mapping) else value


def action_result(value: Any) -> ActionResult:
    """An ActionResult from what `to_plain` made of it."""
    return _build(ActionResult, value, dimensions=_dimensions)


def judgement(value: Any) -> Judgement:
    """A Judgement from what `to_plain` made of it."""
    return _build(Judgement, value, dimensions=_dimensions)


def text_answer(value: Any) -> TextReply:
    """A TextReply from what `to_plain` made of it."""
    return _build(TextReply, value)


def _dimensions(value: Any) -> Any:
    return tuple(_build(DimensionDistribution, item, words=tuple) for item in value)


def _build(kind: Any, value: Any, **readers: Any) -> Any:
    names = {field.name for field in fields(kind)}
    if not isinstance(value, dict) or set(value) != names:
        raise MessageError(f"answer: expected {sorted(names)}; client and server may differ in version")
    return kind(**{name: readers[name](item) if name in readers else item for name, item in value.items()})

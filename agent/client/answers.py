"""Conversion of an agent's answers to plain values for messages, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from embodio.agent.answers import ActionResult, DimensionDistribution, Judgement
from embodio.agent.client.errors import MessageError


@dataclass(frozen=True)
class TextReply:
    """A text answer; the counterpart of `embodio.model.tasks.TextAnswer`, which clients may lack.

    Attributes:
        text: the text that the model wrote.
        log_probability: sum over its tokens, in nats.
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
    """An ActionResult from its plain values."""
    return _build(ActionResult, value, dimensions=_dimensions)


def judgement(value: Any) -> Judgement:
    """A Judgement from its plain values."""
    return _build(Judgement, value, dimensions=_dimensions)


def text_answer(value: Any) -> TextReply:
    """A TextReply from its plain values."""
    return _build(TextReply, value)


def _dimensions(value: Any) -> Any:
    return tuple(_build(DimensionDistribution, item, words=tuple) for item in value)


def _build(kind: Any, value: Any, **readers: Any) -> Any:
    names = {field.name for field in fields(kind)}
    if not isinstance(value, dict) or set(value) != names:
        raise MessageError(f"answer: expected {sorted(names)}; client and server may differ in version")
    return kind(**{name: readers[name](item) if name in readers else item for name, item in value.items()})

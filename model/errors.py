"""Errors of the model: each names the problem and the remedy."""

import math
from collections.abc import Sequence
from numbers import Real


class ModelError(Exception):
    """Base class of all errors raised by `embodio.model`."""


class ConfigError(ModelError, ValueError):
    """A model configuration is incomplete, contradictory or has an unknown field."""


class BatchError(ModelError, ValueError):
    """A batch lacks a key, has a wrong shape, or names a modality that the model was not built with."""


class DecodingError(ModelError, ValueError):
    """An invalid decoding request, such as more tokens than were reserved."""


class WeightsError(ModelError, ValueError):
    """A weight file does not fit the model; the message lists missing and unexpected names and wrong shapes."""


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first of some names as a list for a message, and how many more there are."""
    rest = len(names) - most
    return f"{list(names[:most])}" + (f" and {rest} more" if rest > 0 else "")


def is_within(value: object, low: float, high: float) -> bool:
    """Whether an argument is a finite number from `low` to `high`; text, None and truth values are not numbers."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    number = float(value)
    return math.isfinite(number) and low <= number <= high

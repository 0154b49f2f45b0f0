"""When two answers of a task are the same: ids and texts exactly, what is computed from them within a tolerance."""

import dataclasses

import numpy as np
import pytest

from embodio.model.tasks import AnswerError, Mask

# Sums of other shapes round differently, so what is computed from the same ids differs a little: drawn pixels by one of
# 255, a place where such a pixel crosses the threshold of a mask, and sound, of which the phase is found by iteration.
TOLERANCE = {np.dtype(np.uint8): 1.0, np.dtype(np.float32): 0.006}
WAVEFORM_TOLERANCE = 0.02


def assert_same(found: object, other: object, tolerance: float | None = None) -> None:
    """Two answers are the same within TOLERANCE, whole arrays of them."""
    assert type(found) is type(other)
    if isinstance(found, Mask) and isinstance(other, Mask):
        assert_same(found.image, other.image)
        near = np.abs(found.image.mean(axis=2) - 127.5) <= 1
        assert np.array_equal(found.mask | near, other.mask | near) and near.mean() < 0.2
    elif isinstance(found, np.ndarray) and isinstance(other, np.ndarray):
        assert found.dtype == other.dtype and found.shape == other.shape
        allowed = TOLERANCE.get(found.dtype, 0.0) if tolerance is None else tolerance
        np.testing.assert_allclose(found.astype(np.float64), other.astype(np.float64), rtol=0, atol=allowed)
    elif isinstance(found, AnswerError):
        assert str(found) == str(other)
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            heard = WAVEFORM_TOLERANCE if field.name == "waveform" else None
            assert_same(getattr(found, field.name), getattr(other, field.name), heard)
    elif isinstance(found, tuple) and isinstance(other, tuple):
        assert len(found) == len(other)
        for part, counterpart in zip(found, other, strict=True):
            assert_same(part, counterpart)
    else:
        assert found == pytest.approx(other, abs=1e-3) if isinstance(found, float) else found == other

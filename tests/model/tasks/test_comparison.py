"""The comparison of answers that other tests rely on finds differences, and only those beyond its tolerance."""

import numpy as np
import pytest

from embodio.model.tasks import AnswerError, Mask, TextAnswer
from tests.support.model.comparison import assert_same

GREY = np.full((4, 5, 3), 60, dtype=np.uint8)


def mask(image: np.ndarray) -> Mask:
    return Mask(image.mean(axis=2) > 127.5, image)


def test_rounding_is_forgiven_and_nothing_else() -> None:
    nearly = GREY.copy()
    nearly[1, 2] += 1
    assert_same(mask(GREY), mask(nearly))
    assert_same(TextAnswer("cup", -2.0), TextAnswer("cup", -2.0001))
    assert_same((AnswerError("no box", "x"), 3), (AnswerError("no box", "x"), 3))


@pytest.mark.parametrize(
    ("found", "other"),
    [
        (mask(GREY), mask(GREY + np.uint8(2))),
        (mask(GREY), Mask(np.ones((4, 5), dtype=bool), GREY)),
        (GREY, GREY.astype(np.float32)),
        (GREY, GREY[:3]),
        (np.zeros(3, dtype=np.float32), np.array([0, 0, 0.01], dtype=np.float32)),
        (TextAnswer("cup", -2.0), TextAnswer("cup", -2.01)),
        (TextAnswer("cup", -2.0), TextAnswer("cap", -2.0)),
        (TextAnswer("cup", -2.0), AnswerError("no box", "cup")),
        ((1, 2), (1, 2, 3)),
    ],
)
def test_differences_are_found(found: object, other: object) -> None:
    with pytest.raises(AssertionError):
        assert_same(found, other)

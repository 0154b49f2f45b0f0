"""Non-maximum suppression: no two of those that stay overlap too much, and each that goes overlaps one that stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.tasks import TaskError
from embodio.model.tasks.suppression import intersection_over_union, suppress

NUMBERS = st.integers(0, 12)
BOXES = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=12)


def overlap_of(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Counting unit squares."""
    cells = [{(y, x) for y in range(box[0], box[2]) for x in range(box[1], box[3])} for box in (first, second)]
    union = cells[0] | cells[1]
    return len(cells[0] & cells[1]) / len(union) if union else 0.0


@given(BOXES)
def test_overlap_is_that_of_counted_squares(boxes: list[tuple[int, ...]]) -> None:
    found = intersection_over_union(np.array(boxes, dtype=np.float64).reshape(-1, 4))
    expected = [[overlap_of(one, other) for other in boxes] for one in boxes]
    np.testing.assert_allclose(found, np.array(expected).reshape(len(boxes), len(boxes)), atol=1e-12)


@given(BOXES, st.floats(0, 1), st.data())
def test_those_that_stay(boxes: list[tuple[int, ...]], overlap: float, data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.sampled_from("ab"), min_size=len(boxes), max_size=len(boxes)))
    kept = suppress(boxes, overlap, labels).tolist()
    assert kept == sorted(set(kept))
    near = [
        [labels[i] == labels[j] and overlap_of(boxes[i], boxes[j]) > overlap + 1e-9 for j in range(len(boxes))]
        for i in range(len(boxes))
    ]
    assert not any(near[i][j] for i in kept for j in kept if i != j)
    for gone in set(range(len(boxes))) - set(kept):
        close = [j for j in kept if j < gone and labels[j] == labels[gone]]
        assert any(overlap_of(boxes[gone], boxes[j]) > overlap - 1e-9 for j in close)
    again = [boxes[index] for index in kept]
    assert len(suppress(again, overlap, [labels[index] for index in kept])) == len(again)


def test_one_keeps_all_and_nothing_is_nothing() -> None:
    assert suppress([[0, 0, 4, 4]] * 3, 1.0).tolist() == [0, 1, 2]
    assert suppress([[0, 0, 4, 4]] * 3, 0.5).tolist() == [0]
    assert suppress([], 0.5).tolist() == []
    with pytest.raises(TaskError, match=r"overlap is 1\.5"):
        suppress([], 1.5)

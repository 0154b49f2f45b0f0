"""Fitting images onto the canvas and coming back; resizing against TensorFlow and against plain loops."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.processing.image import GeometryError, ImageFit, boxes_with_area, resize, resize_matrix

SIDES = st.integers(20, 300)


def test_known_fit() -> None:
    fit = ImageFit.of((200, 300), (384, 384))
    assert fit.content == (256, 384) and (fit.top, fit.left) == (64, 0)
    assert fit.info.tolist() == [64, 0, 0.78125, 200, 300, 0, 0, 0, 0, 256, 384]
    box = fit.boxes_to_canvas([[40, 30, 150, 200]])
    assert (box / 384 * 999).astype(int).tolist() == [[299, 99, 666, 666]]  # as the reference writes this box
    assert np.allclose(fit.boxes_from_canvas(box), [[40, 30, 150, 200]], atol=1e-4)


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_fit_is_centred_inside_and_fills_one_side(image: tuple[int, int], canvas: tuple[int, int]) -> None:
    fit = ImageFit.of(image, canvas)
    for side, content, before in zip(canvas, fit.content, (fit.top, fit.left), strict=True):
        after = side - content - before
        assert 0 <= after - before <= 1 and content >= 1
    # Truncation in float32 may lose one pixel, never more.
    assert min(c - s for c, s in zip(canvas, fit.content, strict=True)) <= 1


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=4))
def test_boxes_come_back(image: tuple[int, int], canvas: tuple[int, int], corners: list[tuple[float, ...]]) -> None:
    fit = ImageFit.of(image, canvas)
    boxes = np.array(corners, dtype=np.float32).reshape(-1, 4) * np.array([*image, *image], dtype=np.float32)
    moved = fit.boxes_to_canvas(boxes)
    low = np.array([fit.top, fit.left] * 2)
    assert np.all((moved >= low) & (moved <= np.array([*canvas] * 2)))
    # The copy is truncated to whole pixels, boxes are not: they come back at the far border as well.
    assert np.all((moved - low) <= np.array([*fit.content] * 2) + 1)
    assert np.allclose(fit.boxes_from_canvas(moved), boxes, atol=1e-3)


def test_boxes_are_clipped_and_counted() -> None:
    fit = ImageFit.of((100, 100), (50, 50))
    assert fit.boxes_to_canvas([[-10, -10, 200, 50]]).tolist() == [[0, 0, 50, 25]]
    beside = ImageFit.of((100, 60), (50, 50)).boxes_to_canvas([[-10, -10, 90, 70], [0, -99, 9, 199]])
    assert beside.tolist() == [[0, 5, 45, 45], [0, 0, 4.5, 50]]  # clipped to the canvas, not to the image
    assert fit.boxes_from_canvas([[-5, 0, 80, 25]]).tolist() == [[0, 0, 100, 50]]
    assert boxes_with_area([[0, 0, 1, 1], [0, 0, 0, 5], [3, 3, 2, 4], [1, 1, 4, 4]]).tolist() == [0, 3]
    with pytest.raises(GeometryError, match=r"\(4,\)"):
        fit.boxes_to_canvas([0, 0, 1, 1])


def test_patch_mask_samples_the_centre_of_each_patch() -> None:
    fit = ImageFit.of((40, 96), (96, 96))
    assert (fit.top, fit.content) == (28, (40, 96))
    pixels = np.zeros((96, 96), dtype=np.int32)
    pixels[28:68] = 1
    assert np.array_equal(fit.patch_mask(16), pixels[8::16, 8::16].reshape(-1))


def test_image_comes_back_at_its_own_size() -> None:
    image = np.linspace(0, 1, 60 * 90 * 3, dtype=np.float32).reshape(60, 90, 3)
    fit = ImageFit.of((60, 90), (180, 180))
    canvas = np.zeros((180, 180, 3), dtype=np.float32)
    canvas[fit.top : fit.top + fit.content[0], fit.left : fit.left + fit.content[1]] = resize(image, fit.content)
    back = fit.image_from_canvas(canvas, "bilinear")
    assert back.shape == image.shape
    assert np.allclose(back[2:-2], image[2:-2], atol=0.02)
    assert fit.image_from_canvas(np.zeros((90, 90, 1))).shape == (60, 90, 1)
    with pytest.raises(GeometryError, match="shape"):
        fit.image_from_canvas(np.zeros((90, 90)))
    with pytest.raises(GeometryError, match="'cubic' is not known; choose 'nearest' or 'bilinear'"):
        fit.image_from_canvas(canvas, "cubic")  # type: ignore[arg-type]


@given(st.tuples(SIDES, SIDES), st.integers(16, 96), st.integers(0, 99))
def test_labels_come_back_unmixed_as_a_square_around_the_image(image: tuple[int, int], side: int, seed: int) -> None:
    """The rule of the references: the square is resized to the longer side, and the middle of it is cut out."""
    fit = ImageFit.of(image, (side, side))
    drawn = np.random.default_rng(seed).integers(0, 5, (side, side, 1)).astype(np.float32)
    back = fit.image_from_canvas(drawn)
    longest = max(image)
    top, left = (longest - image[0]) // 2, (longest - image[1]) // 2
    at = [[min(int((np.float32(i) + np.float32(0.5)) * (np.float32(side) / np.float32(longest))), side - 1)
           for i in range(start, start + size)] for start, size in zip((top, left), image, strict=True)]  # fmt: skip
    assert back.shape == (*image, 1)
    assert np.array_equal(back, np.array([[drawn[row, column] for column in at[1]] for row in at[0]]))


@pytest.mark.parametrize("image", [(0, 5), (5, -1), (1, 1000)])
def test_impossible_sizes_are_refused(image: tuple[int, int]) -> None:
    with pytest.raises(GeometryError, match="pixels"):
        ImageFit.of(image, (32, 32))


def slow_resize_row(row: np.ndarray, new: int) -> np.ndarray:
    step = len(row) / new
    width = max(step, 1.0)
    out = []
    for i in range(new):
        weights = [max(0.0, 1 - abs((j + 0.5) - (i + 0.5) * step) / width) for j in range(len(row))]
        out.append(np.dot(weights, row) / sum(weights))
    return np.array(out)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 10))
def test_resizing_is_a_widened_triangle(old: int, new: int, seed: int) -> None:
    row = np.random.default_rng(seed).random(old, dtype=np.float32)
    assert np.allclose(resize_matrix(old, new) @ row, slow_resize_row(row, new), atol=2e-5)
    assert np.allclose(resize_matrix(old, new) @ np.ones(old, dtype=np.float32), 1, atol=1e-6)


def test_both_axes_and_all_channels_are_resized() -> None:
    image = np.random.default_rng(0).random((7, 9, 3), dtype=np.float32)
    expected = np.stack(
        [resize_matrix(7, 4).toarray() @ image[..., c] @ resize_matrix(9, 13).toarray().T for c in range(3)], axis=-1
    )
    assert np.allclose(resize(image, (4, 13)), expected, atol=1e-6)


TENSORFLOW_CHECK = """
import numpy as np, tensorflow as tf
from embodio.model.processing.image import resize
from embodio.model.processing.image import resize_nearest
rng, worst = np.random.default_rng(0), 0.0
for _ in range(40):
    h, w, a, b = (int(n) for n in rng.integers(1, 200, 4))
    image = rng.random((h, w, 3), dtype=np.float32)
    theirs = tf.image.resize(image, (a, b), method="bilinear", antialias=True).numpy()
    worst = max(worst, float(np.abs(theirs - resize(image, (a, b))).max()))
    assert np.array_equal(tf.image.resize(image, (a, b), method="nearest").numpy(), resize_nearest(image, (a, b)))
print("worst", worst)
"""


@pytest.mark.tf
def test_resizing_equals_tensorflow() -> None:
    done = subprocess.run([sys.executable, "-c", TENSORFLOW_CHECK], capture_output=True, text=True, check=False)
    if "No module named 'tensorflow'" in done.stderr:
        pytest.skip("needs the extra `tf`")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("worst")[1]) < 2e-6

"""Parsers: what the encoders write comes back, and any ids or text are a value or an error that quotes them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.processing.image import ImageFit
from embodio.model.tasks import AnswerError, FoundBox, FoundBoxes, FoundCuboids, ViewChange
from embodio.model.tasks.locations.labelled import BODY_PARTS, Keypoints, LabelledBoxes, write_boxes, write_keypoints
from embodio.model.tasks.locations.spatial import CameraPose, Cuboid, orthonormal, write_cuboid, write_pose
from embodio.model.tasks.parsers import (
    parse_box,
    parse_boxes,
    parse_cuboids,
    parse_keypoints,
    parse_pose,
    parse_text,
)
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.model.small import CODEC, VOCABULARY

FITS = st.builds(
    lambda image, canvas: ImageFit.of(image, (canvas, canvas)),
    st.tuples(st.integers(20, 300), st.integers(20, 300)),
    st.integers(64, 400),
)
NAMES = st.text("abcdefg hijk'-", min_size=1, max_size=12).map(str.strip).filter(bool).filter(lambda n: "  " not in n)
SHARES = st.tuples(*[st.floats(0, 0.7)] * 2, *[st.floats(0.05, 0.3)] * 2)
PIECES = st.one_of(
    st.integers(0, VOCABULARY.padded_size + 5),
    st.sampled_from([*VOCABULARY.value_ids.tolist()]),
    st.sampled_from(["MISSING", "left eye", "(", "cat"]),
)
SOUP = st.lists(PIECES, max_size=40)
FIT = ImageFit.of((40, 60), (64, 64))

PARSERS: dict[str, tuple[Callable[..., object], tuple[type, ...]]] = {
    "box": (lambda ids: parse_box(CODEC, ids, FIT), (FoundBox,)),
    "boxes": (lambda ids: parse_boxes(CODEC, ids, FIT), (FoundBoxes,)),
    "plain boxes": (lambda ids: parse_boxes(CODEC, ids, FIT, named=False), (FoundBoxes,)),
    "keypoints": (lambda ids: parse_keypoints(CODEC, ids, FIT), (Keypoints,)),
    "cuboids": (lambda ids: parse_cuboids(CODEC, ids, FIT), (FoundCuboids,)),
    "pose": (lambda ids: parse_pose(CODEC, ids), (ViewChange,)),
}


def ids_of(prompt: list[int | str]) -> list[int]:
    return [*VOCABULARY.encode(prompt), EOS_ID, 0, 77]


def tolerance(fit: ImageFit) -> float:
    """One bin, and the pixel of the canvas that the truncated copy may lack, in pixels of the image."""
    return (1.01 * max(fit.canvas) / 999 + 1) / fit.scale + 1e-3


def boxes_in(fit: ImageFit, shares: list[tuple[float, ...]]) -> np.ndarray:
    height, width = fit.image
    places = np.array(shares, dtype=np.float64).reshape(-1, 4)
    places[:, 2:] += places[:, :2]
    return places * [height, width, height, width]


@pytest.mark.parametrize("name", PARSERS)
@given(soup=SOUP)
def test_any_ids_are_a_value_or_an_error_that_quotes_them(name: str, soup: list[int | str]) -> None:
    parse, types = PARSERS[name]
    ids = [token for part in soup for token in (VOCABULARY.encode(part) if isinstance(part, str) else [part])]
    found = parse(ids)
    assert isinstance(found, (AnswerError, *types))
    if isinstance(found, AnswerError):
        assert found.text == parse_text(CODEC, ids) and repr(found.text) in str(found)


@pytest.mark.parametrize("name", PARSERS)
@given(text=st.text(max_size=60))
def test_any_text_is_a_value_or_an_error(name: str, text: str) -> None:
    parse, types = PARSERS[name]
    clean = text.encode("utf-8", "replace").decode("utf-8")
    found = parse(VOCABULARY.encode(clean, parse_special=True))
    assert isinstance(found, (AnswerError, *types))


@given(FITS, SHARES)
def test_one_box_comes_back(fit: ImageFit, share: tuple[float, ...]) -> None:
    box = boxes_in(fit, [share])
    ids = CODEC.boxes_to_ids(box, fit)[0].tolist()
    found = parse_box(CODEC, [*ids, EOS_ID], fit)
    assert isinstance(found, FoundBox)
    np.testing.assert_allclose(found.box, box[0], atol=tolerance(fit))
    for wrong in (ids[:3], [*ids, ids[0]], [*ids, 300], [300, *ids], []):
        assert isinstance(parse_box(CODEC, wrong, fit), AnswerError)


@given(FITS, st.lists(st.tuples(SHARES, NAMES), max_size=5), st.booleans())
def test_boxes_come_back(fit: ImageFit, items: list[tuple[tuple[float, ...], str]], named: bool) -> None:
    boxes = boxes_in(fit, [share for share, _ in items])
    if named:
        prompt = write_boxes(CODEC, LabelledBoxes(boxes.astype(np.float32), tuple(name for _, name in items)), fit)
    else:
        prompt = CODEC.boxes_to_ids(boxes, fit).reshape(-1).tolist()
    found = parse_boxes(CODEC, ids_of(prompt), fit, named)
    assert isinstance(found, FoundBoxes)
    np.testing.assert_allclose(found.boxes, boxes, atol=tolerance(fit))
    assert found.labels == tuple(name if named else "" for _, name in items)
    assert found.skipped == ()


def test_what_is_no_box_is_skipped_and_kept() -> None:
    good = CODEC.boxes_to_ids([[5, 5, 20, 30]], FIT)[0].tolist()
    flat = CODEC.boxes_to_ids([[5, 5, 5, 30]], FIT)[0].tolist()
    found = parse_boxes(CODEC, VOCABULARY.encode(["oh", *good, "cat", *good[:2], "dog", *flat, "cow"]), FIT)
    assert isinstance(found, FoundBoxes)
    assert found.labels == ("cat",)
    assert found.skipped == (
        "oh",
        f"{CODEC.ids_to_text(good[:2])} dog",
        f"{CODEC.ids_to_text(flat)} cow",
    )
    only = parse_boxes(CODEC, VOCABULARY.encode([*good[:2], "dog"]), FIT)
    assert isinstance(only, AnswerError) and only.text.endswith("dog")


@given(FITS, st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=17, max_size=17))
def test_keypoints_come_back(fit: ImageFit, seed: int, visible: list[bool]) -> None:
    points = (np.random.default_rng(seed).uniform(0, 1, (17, 2)) * fit.image).astype(np.float32)
    person = Keypoints(points, np.array(visible))
    found = parse_keypoints(CODEC, ids_of(write_keypoints(CODEC, person, fit)), fit)
    assert isinstance(found, Keypoints)
    assert found.visible.tolist() == visible
    np.testing.assert_allclose(found.points[visible], points[visible], atol=tolerance(fit))


def test_a_part_that_is_named_twice_is_an_error() -> None:
    place = CODEC.points_to_ids([[3, 3]], FIT)[0].tolist()
    found = parse_keypoints(CODEC, VOCABULARY.encode([*place, BODY_PARTS[0], *place, BODY_PARTS[0]]), FIT)
    assert isinstance(found, AnswerError) and BODY_PARTS[0] in found.text and "not named yet" in found.reason


CUBOIDS = st.builds(
    lambda centre, depth, size, rows: Cuboid(centre, depth, size, orthonormal(np.array(rows).reshape(2, 3))),
    st.tuples(st.floats(0, 60), st.floats(0, 40)),
    st.floats(0.5, 90),
    st.tuples(*[st.floats(0.1, 50)] * 3),
    st.permutations([1.0, 0.2, -0.4, 0.3, -1.0, 0.1]),
)


@given(st.lists(CUBOIDS, max_size=3), st.booleans())
def test_cuboids_come_back(cuboids: list[Cuboid], named: bool) -> None:
    prompt: list[int | str] = []
    for cuboid in cuboids:
        prompt += [*write_cuboid(CODEC, cuboid, FIT).tolist(), *(["car"] if named else [])]
    found = parse_cuboids(CODEC, ids_of(prompt), FIT)
    assert isinstance(found, FoundCuboids) and len(found.cuboids) == len(cuboids) and not found.skipped
    for one, expected in zip(found.cuboids, cuboids, strict=True):
        np.testing.assert_allclose(one.centre, expected.centre, atol=0.2)
        assert one.depth == pytest.approx(expected.depth, abs=0.2)
        np.testing.assert_allclose(np.log1p(one.size), np.log1p(expected.size), atol=0.0065)
        np.testing.assert_allclose(one.rotation, expected.rotation, atol=0.02)


def test_a_cuboid_without_a_rotation_is_skipped() -> None:
    zero = [VOCABULARY.value_id(0)] * 12
    good = write_cuboid(CODEC, Cuboid((3.0, 3.0), 2.0, (1.0, 1.0, 1.0), np.eye(3)), FIT).tolist()
    found = parse_cuboids(CODEC, [*good, *zero], FIT)
    assert isinstance(found, FoundCuboids) and len(found.cuboids) == 1 and len(found.skipped) == 1
    assert isinstance(parse_cuboids(CODEC, zero, FIT), AnswerError)


@given(st.floats(-3.1, 3.1), st.floats(-3.1, 3.1), st.floats(-0.7, 0.7), st.booleans())
def test_poses_come_back(theta: float, phi: float, radius: float, brackets: bool) -> None:
    ids: list[int | str] = write_pose(CODEC, CameraPose(theta, phi, radius)).tolist()
    found = parse_pose(CODEC, ids_of(["(", *ids, ")"] if brackets else ids))
    assert isinstance(found, ViewChange)
    pose = found.pose
    assert abs(pose.theta - theta) < 0.01 and abs(pose.phi - phi) < 0.01 and abs(pose.radius - radius) < 0.002

"""Places and numbers as value tokens: the reference's ids, round trips within a bin, and what is refused."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.processing.image import ImageFit
from embodio.model.processing.processor import Processor
from embodio.model.tasks.locations.codec import LocationCodec, LocationError, ValueRange
from embodio.model.tasks.locations.labelled import (
    BODY_PARTS,
    Keypoints,
    LabelledBoxes,
    read_boxes,
    read_keypoints,
    write_boxes,
    write_keypoints,
)
from embodio.model.tasks.locations.spatial import (
    POSITION,
    CameraPose,
    Cuboid,
    orthonormal,
    read_cuboid,
    read_pose,
    read_position,
    write_cuboid,
    write_pose,
    write_position,
)
from embodio.model.tokens.vocabulary import EOS_ID, Vocabulary, VocabularyError
from tests.support.model.golden_network import golden_folders

GOLDEN = golden_folders()[-1]
LLAMA = os.environ.get("EMBODIO_LLAMA_TOKENIZER")
VOCABULARY = Vocabulary.default()
CODEC = LocationCodec(VOCABULARY)
RELEASED_VALUE_0 = 32999  # id of the smallest value in the released vocabulary

SIDES, CANVAS = st.integers(20, 500), st.integers(64, 500)
CODECS = st.builds(
    LocationCodec, st.just(VOCABULARY), st.sampled_from(["trunc", "nearest"]), st.sampled_from([999, 1000])
)
SHARE = st.floats(0, 1, width=32)

BORDER_BOXES: list[tuple[tuple, list, list]] = [
    # image, boxes (y1, x1, y2, x2) in pixels, the bins that both references write
    ((292, 154), [[0, 0, 292, 154], [233.6, 107.8, 301, 184]], [[0, 236, 999, 763], [799, 605, 999, 866]]),
    ((480, 640), [[0, 0, 480, 640], [384, 448, 489, 670]], [[124, 0, 874, 999], [724, 699, 888, 999]]),
    ((1080, 1920), [[0, 0, 1080, 1920], [864, 1344, 1089, 1950]], [[218, 0, 780, 999], [668, 699, 785, 999]]),
    ((31, 517), [[0, 0, 31, 517], [24.8, 361.9, 40, 547]], [[468, 0, 528, 999], [516, 699, 545, 999]]),
    ((1999, 733), [[0, 0, 1999, 733], [1599.2, 513.1, 2008, 763]], [[0, 317, 999, 683], [799, 573, 999, 698]]),
    ((100, 37), [[0, 0, 100, 37], [80, 25.9, 109, 67]], [[0, 314, 999, 684], [799, 573, 999, 984]]),
    ((768, 1023), [[0, 0, 768, 1023], [614.4, 716.1, 777, 1053]], [[124, 0, 874, 999], [724, 699, 883, 999]]),
]


def test_a_box_has_the_ids_of_the_reference() -> None:
    if not (GOLDEN / "preproc_cases.npz").exists():
        pytest.skip(f"no preproc_cases.npz in {GOLDEN}")
    with np.load(GOLDEN / "preproc_cases.npz") as data:
        theirs, info = data["box/inputs/text/tokens"][0], data["box/meta/image_info"][0]
        image = data["raw/image"].shape[:2]
    fit = ImageFit.of(image, (384, 384))
    np.testing.assert_array_equal(fit.info, info)
    values = theirs[(theirs >= 32000) & (theirs <= RELEASED_VALUE_0)]
    x1, y1, x2, y2 = 30, 40, 200, 150
    ours = [VOCABULARY.value_bin(i) for i in CODEC.boxes_to_ids([[y1, x1, y2, x2]], fit)[0].tolist()]
    assert ours == (RELEASED_VALUE_0 - values).tolist()


@pytest.mark.skipif(not LLAMA, reason="EMBODIO_LLAMA_TOKENIZER names no file")
def test_a_prompt_with_a_box_has_the_ids_of_the_reference() -> None:
    with np.load(GOLDEN / "preproc_cases.npz") as data:
        theirs, image = data["box/inputs/text/tokens"][0], data["raw/image"]
    vocabulary = Vocabulary.from_file(LLAMA)
    box = LocationCodec(vocabulary).boxes_to_ids([[40, 30, 150, 200]], ImageFit.of(image.shape[:2], (384, 384)))[0]
    prompt = [vocabulary.prefix_id("text"), "What is in", *box.tolist(), "?"]
    features = Processor(ModelConfig.named("large"), vocabulary)(Example(text=prompt))
    np.testing.assert_array_equal(features["inputs/text/tokens"], theirs)


@given(CODECS, st.tuples(SIDES, SIDES), st.tuples(CANVAS, CANVAS), st.lists(st.tuples(*[SHARE] * 4), max_size=3))
def test_boxes_come_back_within_a_bin(codec: LocationCodec, image: tuple, canvas: tuple, shares: list) -> None:
    fit = ImageFit.of(image, canvas)
    boxes = np.array(shares, dtype=np.float32).reshape(-1, 4) * np.array([*image, *image], dtype=np.float32)
    ids = codec.boxes_to_ids(boxes, fit)
    assert ids.shape == boxes.shape and ids.dtype == np.int64
    back = codec.ids_to_boxes(ids, fit)
    bins = 0.5 if codec.rounding == "nearest" else 1.0
    if codec.denominator == 1000:
        bins = 1.0 + 1e-3  # the value 1 has no bin of its own
    allowed = bins * np.array([*canvas, *canvas]) / codec.denominator / fit.scale + 1e-2  # at the border as well
    assert (np.abs(back - boxes) <= allowed).all()
    if codec.rounding == "nearest" and codec.denominator == 999:
        # Once written, a place that lies inside the image stays the same.
        inside = (back > 0.5 / fit.scale) & (back < np.array([*image, *image]) - 1.5 / fit.scale)
        np.testing.assert_array_equal(codec.boxes_to_ids(back, fit)[inside], ids[inside])


@pytest.mark.parametrize(("image", "boxes", "bins"), BORDER_BOXES)
def test_boxes_at_the_border_have_the_bins_of_the_references(image: tuple, boxes: list, bins: list) -> None:
    """JAX code and PyTorch port write these; the copy on the canvas is truncated to whole pixels, boxes are not."""
    fit, (height, width) = ImageFit.of(image, (384, 384)), image
    shares = np.array(boxes) / [height, width, height, width]
    turned = np.array(boxes)[:, [1, 0, 3, 2]]
    for codec, given_boxes in (
        (CODEC, boxes),
        (LocationCodec(VOCABULARY, box_format="yx_unit"), shares),
        (LocationCodec(VOCABULARY, box_format="xy_pixels"), turned),
    ):
        ids = codec.boxes_to_ids(given_boxes, fit)
        assert [[VOCABULARY.value_bin(i) for i in row] for row in ids.tolist()] == bins
    corners = np.array(boxes)[:, 2:]
    np.testing.assert_array_equal(CODEC.points_to_ids(corners, fit), CODEC.boxes_to_ids(boxes, fit)[:, 2:])


@given(st.tuples(SIDES, SIDES), st.tuples(SHARE, SHARE))
def test_cuboids_come_back_at_the_border(image: tuple, share: tuple) -> None:
    codec, fit = LocationCodec(VOCABULARY, "nearest"), ImageFit.of(image, (384, 384))
    for v, u in (share, (1.0, share[1]), (share[0], 1.0), (0.0, 0.0)):
        centre = (u * image[1], v * image[0])
        back = read_cuboid(codec, write_cuboid(codec, Cuboid(centre, 3.0, (1.0, 1.0, 1.0), np.eye(3)), fit), fit)
        np.testing.assert_allclose(back.centre, centre, rtol=0, atol=0.5 * 1.2 * 384 / 999 / fit.scale + 1e-4)


@given(CODECS, st.tuples(SIDES, SIDES), st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=4))
def test_points_are_halves_of_boxes(codec: LocationCodec, image: tuple, shares: list) -> None:
    fit = ImageFit.of(image, (384, 384))
    points = np.array(shares, dtype=np.float32) * np.array(image, dtype=np.float32)
    ids = codec.points_to_ids(points, fit)
    np.testing.assert_array_equal(ids, codec.boxes_to_ids(np.tile(points, 2), fit)[:, 2:])
    np.testing.assert_array_equal(codec.ids_to_points(ids, fit), codec.ids_to_boxes(np.tile(ids, 2), fit)[:, :2])


@given(CODECS, st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.lists(SHARE, max_size=5))
def test_numbers_come_back_within_a_bin_and_in_order(
    codec: LocationCodec, low: float, span: float, shares: list
) -> None:
    limits = ValueRange("height", low, low + span)
    values = np.sort(limits.from_unit(shares)).clip(limits.low, limits.high)
    ids = codec.numbers_to_ids(values, limits)
    back = codec.ids_to_numbers(ids, limits)
    assert (np.diff(back) >= 0).all()
    bins = {("nearest", 999): 0.5}.get((codec.rounding, codec.denominator), 1.0)
    np.testing.assert_allclose(back, values, rtol=0, atol=(bins / codec.denominator + 1e-6) * span + 1e-9)


def test_numbers_outside_their_range_are_refused_by_name() -> None:
    for wrong in (51.0, -50.1, np.nan, np.inf):
        with pytest.raises(LocationError, match="coordinate of a position"):
            CODEC.numbers_to_ids([1.0, wrong], POSITION)
    with pytest.raises(LocationError, match=r"points: .*\(1, 3\)"):
        CODEC.points_to_ids([[1, 2, 3]], ImageFit.of((10, 10), (10, 10)))
    with pytest.raises(LocationError, match="undefined"):
        CODEC.boxes_to_ids([[1, 2, np.nan, 4]], ImageFit.of((10, 10), (10, 10)))
    with pytest.raises(VocabularyError, match="not a value bin"):
        CODEC.ids_to_boxes([[5, 5, 5, 5]], ImageFit.of((10, 10), (10, 10)))


@given(st.lists(st.integers(0, 999), max_size=6))
def test_text_names_the_values(bins: list[int]) -> None:
    ids = VOCABULARY.value_ids[bins]
    text = CODEC.ids_to_text(ids)
    assert text == " ".join(f"<extra_id_{200 + value_bin}>" for value_bin in bins)
    np.testing.assert_array_equal(CODEC.text_to_ids(text), ids)
    assert VOCABULARY.encode(text, parse_special=True) == ids.tolist()
    assert VOCABULARY.decode(ids).split() == text.split()


@pytest.mark.parametrize(
    "word", ["<extra_id_199>", "<extra_id_1200>", "<extra_id_>", "400", "<extra_id_²>", "(<extra_id_300>"]
)
def test_other_words_name_no_value(word: str) -> None:
    with pytest.raises(LocationError, match="names no value"):
        CODEC.text_to_ids(f"<extra_id_300> {word}")


def test_runs_of_values_in_what_was_written() -> None:
    values, cat = VOCABULARY.value_ids.tolist(), VOCABULARY.encode("cat")
    written = [0, *cat, *values[:4], *cat, *values[5:8], *cat, *values[10:19], EOS_ID, *values[20:24]]
    assert CODEC.runs(written, 4).tolist() == [values[:4], values[10:14], values[14:18]]
    assert CODEC.runs(written, 3)[1].tolist() == values[5:8]
    assert CODEC.runs([], 4).shape == (0, 4)
    assert CODEC.split(written) == [([], "cat"), (values[:4], "cat"), (values[5:8], "cat"), (values[10:19], "")]


FIT = ImageFit.of((200, 300), (384, 384))


def test_boxes_with_names() -> None:
    found = LabelledBoxes(np.array([[10, 20, 100, 200], [0, 0, 200, 300]], np.float32), ("traffic light", "cup"))
    prompt = write_boxes(CODEC, found, FIT)
    assert prompt[4] == "traffic light" and prompt[:4] == CODEC.boxes_to_ids(found.boxes, FIT)[0].tolist()
    ids = [*VOCABULARY.encode(prompt), EOS_ID]
    back = read_boxes(CODEC, ids, FIT)
    assert back.labels == found.labels
    np.testing.assert_allclose(back.boxes, found.boxes, atol=0.5)
    assert read_boxes(CODEC, [EOS_ID], FIT).boxes.shape == (0, 4)
    broken = [*ids[1:-1], *ids]  # the first box lacks a value
    with pytest.raises(LocationError, match="found 3 values and 'traffic light'"):
        read_boxes(CODEC, broken, FIT)
    assert read_boxes(CODEC, broken, FIT, strict=False).labels == ("cup", "traffic light", "cup")
    with pytest.raises(LocationError, match="labels"):
        write_boxes(CODEC, LabelledBoxes(found.boxes, ("cup", " ")), FIT)
    with pytest.raises(LocationError, match="labels"):
        write_boxes(CODEC, LabelledBoxes(found.boxes, ("cup",)), FIT)


@given(st.lists(st.booleans(), min_size=17, max_size=17), st.integers(0, 100))
def test_keypoints_come_back(visible: list[bool], seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, [200, 300], (17, 2)).astype(np.float32)
    points[~np.array(visible)] = np.nan
    prompt = write_keypoints(CODEC, Keypoints(points, np.array(visible)), FIT)
    back = read_keypoints(CODEC, [*VOCABULARY.encode(prompt), EOS_ID], FIT)
    assert back.visible.tolist() == visible
    np.testing.assert_allclose(back.points[visible], points[visible], atol=0.5)
    if any(visible):
        np.testing.assert_allclose(
            back.filled()[~back.visible], np.tile(back.points[visible].mean(0), (17 - sum(visible), 1))
        )
    else:
        with pytest.raises(LocationError, match="none is visible"):
            back.filled()


def test_keypoints_that_are_none() -> None:
    place = VOCABULARY.value_ids[[500, 400]].tolist()
    for prompt in (
        [*place, "nose", *place, "nose"],
        [*place, "tail"],
        [*place, *place, "nose"],
        ["nose"],
        ["MISSING tail"],
    ):
        ids = VOCABULARY.encode([*prompt, *place, "left eye"])
        with pytest.raises(LocationError, match="body part"):
            read_keypoints(CODEC, ids, FIT)
        back = read_keypoints(CODEC, ids, FIT, strict=False)
        assert back.visible[BODY_PARTS.index("left eye")] and back.visible.sum() == 1 + (
            "tail" not in prompt[-1] and len(prompt) == 6
        )
    with pytest.raises(LocationError, match=r"\(3, 2\)"):
        write_keypoints(CODEC, Keypoints(np.zeros((3, 2), np.float32), np.ones(3, bool)), FIT)


def rotation(seed: int) -> np.ndarray:
    return orthonormal(np.random.default_rng(seed).normal(size=(2, 3)))


@given(
    st.tuples(st.floats(-20, 320), st.floats(-30, 230)),
    st.floats(0, 99),
    st.tuples(*[st.floats(0, 50)] * 3),
    st.integers(0, 1000),
)
def test_cuboids_come_back(centre: tuple, depth: float, size: tuple, seed: int) -> None:
    codec = LocationCodec(VOCABULARY, "nearest")
    ids = write_cuboid(codec, Cuboid(centre, depth, size, rotation(seed)), FIT)
    assert ids.shape == (12,)
    back = read_cuboid(codec, ids, FIT)
    np.testing.assert_allclose(back.centre, centre, atol=0.6 * 1.2 / 999 * 384 / FIT.scale)
    np.testing.assert_allclose(back.depth, depth, atol=0.6 * 101 / 999)
    np.testing.assert_allclose(np.log1p(back.size), np.log1p(size), atol=0.6 * 6 / 999)
    np.testing.assert_allclose(back.rotation, rotation(seed), atol=6e-3)
    np.testing.assert_allclose(back.rotation @ back.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(back.rotation) > 0


def test_cuboids_that_are_none() -> None:
    good = Cuboid((10, 10), 5, (1, 1, 1), np.eye(3))
    for change, message in [
        ({"rotation": -np.eye(3)}, "mirrored"),
        ({"rotation": 2 * np.eye(3)}, "orthonormal"),
        ({"rotation": np.eye(2)}, "orthonormal"),
        ({"depth": 200.0}, "depth"),
        ({"size": (1, -1, 1)}, "negative"),
        ({"centre": (1000, 0)}, "centre"),
    ]:
        with pytest.raises(LocationError, match=message):
            write_cuboid(CODEC, Cuboid(**{**vars(good), **change}), FIT)
    with pytest.raises(LocationError, match="12 value ids"):
        read_cuboid(CODEC, VOCABULARY.value_ids[:11], FIT)
    with pytest.raises(LocationError, match="parallel"):
        read_cuboid(CODEC, VOCABULARY.value_ids[[500] * 6 + [900] * 6], FIT)


@given(st.floats(-3.1, 3.1), st.floats(-3.1, 3.1), st.floats(-0.7, 0.7))
def test_poses_come_back(theta: float, phi: float, radius: float) -> None:
    codec = LocationCodec(VOCABULARY, "nearest")
    back = read_pose(codec, write_pose(codec, CameraPose(theta, phi, radius)))
    np.testing.assert_allclose([back.theta, back.radius], [theta, radius], atol=0.5 * 2 * np.pi / 999 + 1e-9)
    np.testing.assert_allclose(back.phi, phi, atol=2e-3)
    with pytest.raises(LocationError, match="polar angle"):
        write_pose(codec, CameraPose(4.0, phi, radius))


@given(st.tuples(*[st.floats(-50, 50)] * 3))
def test_positions_come_back_and_are_written_x_z_y(place: tuple) -> None:
    codec = LocationCodec(VOCABULARY, "nearest")
    ids = write_position(codec, place)
    np.testing.assert_allclose(read_position(codec, ids), place, atol=0.5 * 100 / 999 + 1e-9)
    assert ids[1] == codec.numbers_to_ids(place[2], POSITION)
    with pytest.raises(LocationError, match="3 value ids"):
        read_position(codec, ids[:2])
    with pytest.raises(LocationError, match="three numbers"):
        write_position(codec, place[:2])

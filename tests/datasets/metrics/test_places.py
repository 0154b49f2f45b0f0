"""Metrics of boxes, masks, keypoints and normals: by their definitions, and equal to public implementations."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from embodio.datasets.metrics import tally
from embodio.datasets.metrics.grit_keypoints import SIGMAS, keypoints_score
from embodio.datasets.metrics.grit_normals import normals_score
from embodio.datasets.metrics.grit_segmentation import segmentation_score
from embodio.datasets.metrics.parts.instances import Instances, PeoplePoses
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.datasets.metrics.parts.overlap import assigned_score, boundary, box_overlaps
from embodio.model.tasks.base.boxes_family import BoxesItem
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families.camera_pose import Movement
from embodio.model.tasks.families.depth import DepthItem
from embodio.model.tasks.families.keypoints import Person
from embodio.model.tasks.families.normals import NormalsItem
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.families.segment import Segmented
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.locations.spatial import CameraPose

UNREADABLE = AnswerError("not a box", "<?>")


def values(name: str, *pairs: tuple[Any, Any]) -> dict[str, float]:
    scores = tally(name)
    for found, truth in pairs:
        scores.update(found, truth)
    return {figure: one.value for figure, one in scores.result(resamples=2).estimates.items()}


def item(boxes: Any, labels: tuple[str, ...] = (), scores: tuple[float, ...] | None = None) -> BoxesItem:
    return BoxesItem(boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4), labels=labels, scores=scores)


def box(*corners: float) -> Reference:
    return Reference(expression="", box=np.array(corners, dtype=np.float32))


def mask(rows: slice, columns: slice) -> np.ndarray:
    found = np.zeros((10, 20), dtype=bool)
    found[rows, columns] = True
    return found


def test_a_box_is_right_above_a_half() -> None:
    exact, half, off = box(0, 0, 10, 10), box(0, 0, 10, 5), box(20, 20, 30, 30)
    found = values("box_accuracy", (exact, exact), (half, exact), (off, exact), (UNREADABLE, exact))
    assert found == {"accuracy_50": pytest.approx(0.25), "mean_iou": pytest.approx(1.5 / 4)}


def test_ap_of_two_boxes() -> None:
    """The first box found is right and the second is not: precision 1 up to half of the recall."""
    truth = item([[0, 0, 10, 10], [50, 50, 60, 60]], ("cup", "cup"))
    found = item([[0, 0, 10, 10], [80, 80, 90, 90]], ("cup", "Cup "))
    assert values("box_ap", (found, truth))["ap"] == pytest.approx(51 / 101)
    assert values("box_ap", (item([[0, 0, 10, 10]], ("mug",)), truth), (truth, truth))["ap"] == pytest.approx(51 / 101)


def test_ap_knows_certainty_by_score_or_by_order() -> None:
    truth, wrong = item([[0, 0, 9, 9]], ("cup",)), [[50, 50, 60, 60], [0, 0, 9, 9]]
    assert values("box_ap", (item(wrong, ("cup", "cup")), truth))["ap_50"] == pytest.approx(0.5)
    assert values("box_ap", (item(wrong, ("cup", "cup"), (0.1, 0.9)), truth))["ap_50"] == pytest.approx(1.0)
    with pytest.raises(MetricError, match="1 scores for 2 boxes"):
        values("box_ap", (item(wrong, ("cup", "cup"), (0.1,)), truth))


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.uniform(0, 150, (count, 2))
    return np.concatenate([low, low + rng.uniform(5, 80, (count, 2))], axis=1)


def detections(seed: int) -> list[tuple[BoxesItem, BoxesItem]]:
    rng, found = np.random.default_rng(seed), []
    for _ in range(30):
        there = random_boxes(rng, int(rng.integers(0, 6)))
        seen = np.concatenate([there + rng.normal(0, 4, there.shape), random_boxes(rng, 3)])
        seen[:, 2:] = np.maximum(seen[:, 2:], seen[:, :2] + 1)
        labels = [str(one) for one in rng.integers(0, 4, len(seen))]
        scores = tuple(np.round(rng.random(len(seen)), 1).tolist())
        truth = BoxesItem(boxes=there, labels=tuple(labels[: len(there)]))
        found.append((BoxesItem(boxes=seen, labels=tuple(labels), scores=scores), truth))
    return found


def test_ap_is_that_of_pycocotools() -> None:
    pytest.importorskip("pycocotools", reason="compares with a package of the dev extra")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    pairs = detections(0)
    images = [{"id": row, "width": 300, "height": 300} for row in range(len(pairs))]
    annotations, dets = [], []
    for row, (found, truth) in enumerate(pairs):
        for (top, left, bottom, right), label in zip(truth.boxes, truth.labels, strict=True):
            entry = {"image_id": row, "category_id": int(label), "bbox": [left, top, right - left, bottom - top]}
            annotations.append(entry | {"id": len(annotations) + 1, "area": 1000, "iscrowd": 0})
        for (top, left, bottom, right), label, score in zip(found.boxes, found.labels, found.scores, strict=True):
            entry = {"image_id": row, "category_id": int(label), "bbox": [left, top, right - left, bottom - top]}
            dets.append(entry | {"score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": images, "annotations": annotations, "categories": [{"id": k} for k in range(4)]}
        coco.createIndex()
        judged = COCOeval(coco, coco.loadRes(dets), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    found = values("box_ap", *pairs)
    assert list(found.values()) == pytest.approx(judged.stats[:3].tolist(), abs=1e-6)


def test_golden_values_of_pycocotools() -> None:
    """Values of pycocotools 2.0.11 for these boxes."""
    found = list(values("box_ap", *detections(0)).values())
    assert found == pytest.approx([0.1675996161951993, 0.3917383799263936, 0.12042470893830048], abs=1e-6)


@pytest.mark.parametrize(
    ("found", "truth", "score"),
    [
        ([], [], 1.0),
        ([[0, 0, 4, 4]], [], 0.0),
        ([], [[0, 0, 4, 4]], 0.0),
        ([[0, 0, 4, 4]], [[0, 0, 4, 4]], 1.0),
        ([[0, 0, 4, 2]], [[0, 0, 4, 4]], 0.5),
        ([[0, 0, 4, 4], [9, 9, 12, 12]], [[0, 0, 4, 4]], 0.5),
        ([[0, 0, 4, 4]], [[0, 0, 4, 4], [9, 9, 12, 12]], 0.5),
        ([[20, 20, 24, 24]], [[0, 0, 4, 4]], 0.0),
        ([[0, 0, 4, 4], [0, 0, 4, 2]], [[0, 0, 4, 2], [0, 0, 4, 4]], 1.0),
    ],
)
def test_grit_localisation(found: list[list[float]], truth: list[list[float]], score: float) -> None:
    assert assigned_score(box_overlaps(found, truth)) == pytest.approx(score)
    assert values("grit_localisation", (item(found), item(truth)))["grit_localisation"] == pytest.approx(score)


def test_unreadable_boxes_are_wrong_even_where_there_is_nothing() -> None:
    assert values("grit_localisation", (UNREADABLE, item([])))["grit_localisation"] == 0.0


def test_grit_segmentation_of_instances_and_of_stuff() -> None:
    left, right = mask(slice(0, 10), slice(0, 5)), mask(slice(0, 10), slice(10, 20))
    assert segmentation_score([left], [left, right]) == pytest.approx(0.5)
    assert segmentation_score([left, right], [left | right], stuff=True) == 1.0
    assert segmentation_score([], []) == 1.0
    pair = Segmented(mask=left), Segmented(mask=left | right)
    assert values("grit_segmentation", pair)["grit_segmentation"] == pytest.approx(50 / 150)


def test_grit_keypoints() -> None:
    """A shift by one standard deviation of each part gives exp(-1/2)."""
    points = np.random.default_rng(0).uniform(0, 90, (17, 2))
    visible = np.arange(17) != 3
    seen = points[visible]
    area = np.prod(seen.max(axis=0) - seen.min(axis=0))
    truth = Keypoints(points, visible)
    shifted = Keypoints(points + np.stack([2 * SIGMAS * np.sqrt(area), np.zeros(17)], axis=1), visible)
    assert keypoints_score([truth], [truth]) == 1.0
    assert keypoints_score([shifted], [truth]) == pytest.approx(np.exp(-0.5))
    assert keypoints_score([truth, shifted], [truth]) == pytest.approx(0.5)
    person = Person(box=np.zeros(4), keypoints=truth)
    assert values("grit_keypoints", (person, person), (UNREADABLE, person))["grit_keypoints"] == 0.5
    with pytest.raises(MetricError, match="none of the annotation is visible"):
        keypoints_score([truth], [Keypoints(points, np.zeros(17, dtype=bool))])


def test_masks() -> None:
    truth, half = mask(slice(0, 10), slice(0, 10)), mask(slice(0, 10), slice(0, 5))
    small, none = mask(slice(0, 1), slice(0, 1)), np.zeros((10, 20), dtype=bool)
    pairs = [(half, truth), (small, small), (none, none)]
    named = [(Segmented(name="a", mask=one), Segmented(name="a", mask=other)) for one, other in pairs]
    found = values("mask_iou", *named, (UNREADABLE, Segmented(mask=none)))
    assert found["mask_iou"] == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert found["overall_iou"] == pytest.approx(51 / 101) and found["mask_accuracy_50"] == pytest.approx(0.5)
    with pytest.raises(MetricError, match="the answer has the shape"):
        values("mask_iou", (Segmented(mask=truth[:5]), Segmented(mask=truth)))


def test_mean_iou_is_over_names() -> None:
    big, part, tiny = mask(slice(0, 10), slice(0, 10)), mask(slice(0, 10), slice(0, 8)), mask(slice(0, 1), slice(0, 1))
    pairs = [("sky", part, big), ("sky", big, big), ("cup", ~tiny & tiny, tiny)]
    named = [(Segmented(name=name, mask=one), Segmented(name=name, mask=other)) for name, one, other in pairs]
    assert values("mean_iou", *named) == {"mean_iou": pytest.approx((180 / 200 + 0) / 2)}


def test_mean_iou_is_that_of_torchmetrics() -> None:
    classification = pytest.importorskip("torchmetrics.classification", reason="compares with one of the dev extra")
    rng, names = np.random.default_rng(0), ("wall", "floor", "cup")
    there = rng.integers(0, len(names), (5, 30, 40))
    seen = np.where(rng.random(there.shape) < 0.6, there, rng.integers(0, len(names), there.shape))
    pairs = [
        (Segmented(name=name, mask=found == label), Segmented(name=name, mask=truth == label))
        for found, truth in zip(seen, there, strict=True)
        for label, name in enumerate(names)
    ]
    wanted = classification.MulticlassJaccardIndex(len(names), average="macro").set_dtype(torch.float64)
    judged = float(wanted(torch.from_numpy(seen), torch.from_numpy(there)))
    assert values("mean_iou", *pairs)["mean_iou"] == pytest.approx(judged, abs=1e-6)


def within(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels whose whole square of `width` pixels to each side is of the mask, by the definition of erosion."""
    squares = np.lib.stride_tricks.sliding_window_view(np.pad(mask, width), (2 * width + 1, 2 * width + 1))
    return squares.all(axis=(2, 3))


@pytest.mark.parametrize("size", [(20, 24), (90, 70), (150, 160)])
def test_boundary_iou_is_that_of_another_erosion(size: tuple[int, int]) -> None:
    rng, width = np.random.default_rng(0), max(1, round(0.02 * float(np.hypot(*size))))
    rows, columns = np.indices(size)
    pairs = []
    for _ in range(8):
        centre, sides = rng.uniform(0, size), rng.uniform(0.2, 0.7, 2) * size
        moved = centre + rng.normal(0, 3, 2)
        truth, found = (
            ((rows - place[0]) / sides[0]) ** 2 + ((columns - place[1]) / sides[1]) ** 2 < 1
            for place in (centre, moved)
        )
        pairs.append((found ^ (rng.random(size) < 0.001), truth))
    edges = [[mask & ~within(mask, width) for mask in pair] for pair in pairs]
    wanted = [np.count_nonzero(one & other) / np.count_nonzero(one | other) for one, other in edges]
    found = values("boundary_iou", *((Segmented(mask=one), Segmented(mask=other)) for one, other in pairs))
    assert found["boundary_iou"] == pytest.approx(float(np.mean(wanted)), abs=1e-6)


def test_a_boundary_is_as_wide_as_two_percent_of_the_diagonal() -> None:
    whole = np.zeros((300, 400), dtype=bool)  # a diagonal of 500 pixels: 10 wide
    whole[100:200, 100:300] = True
    assert boundary(whole).sum() == 100 * 200 - 80 * 180
    whole[:] = True
    assert boundary(whole).sum() == 300 * 400 - 280 * 380  # the edge of the image is one
    other = np.zeros_like(whole)
    other[:, :200] = True
    found = values("boundary_iou", (Segmented(mask=other), Segmented(mask=whole)))
    assert found["boundary_iou"] < values("mask_iou", (Segmented(mask=other), Segmented(mask=whole)))["mask_iou"]


def directions(seed: int, count: int = 900) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_grit_normals_undo_a_rotation() -> None:
    truth = directions(0)
    turned = truth @ Rotation.from_euler("xyz", [90, 20, 180], degrees=True).as_matrix().T
    turned[:90] = directions(1, 90)
    assert normals_score(turned, truth) == pytest.approx(0.9, abs=0.02)
    assert normals_score(turned, truth, rotate=False) < 0.1


def test_angles_of_normals() -> None:
    truth = np.zeros((2, 4, 3), dtype=np.float32)
    truth[:, :3] = [0, 0, 1]  # a column without a normal
    found = np.zeros_like(truth)
    for column, degrees in enumerate((0, 20, 40)):
        found[:, column] = [0, 2 * np.sin(np.radians(degrees)), 2 * np.cos(np.radians(degrees))]
    angles = values("normal_angles", (NormalsItem(normals=found), NormalsItem(normals=truth)))
    assert angles["mean_angle"] == pytest.approx(20, abs=1e-3) and angles["median_angle"] == pytest.approx(20, abs=1e-3)
    assert [angles[f"within_{limit}"] for limit in ("11.25", "22.5", "30")] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    with pytest.raises(MetricError, match="no normal anywhere"):
        values("normal_angles", (NormalsItem(normals=found), NormalsItem(normals=np.zeros_like(truth))))


def test_depth_errors() -> None:
    truth = np.array([[1.0, 2.0], [4.0, 0.0]], dtype=np.float32)
    found = np.array([[1.0, 3.0], [4.0, 9.0]], dtype=np.float32)
    assert values("depth_errors", (DepthItem(depth=found), DepthItem(depth=truth))) == {
        "depth_rmse": pytest.approx((1 / 3) ** 0.5),
        "depth_abs_rel": pytest.approx(0.5 / 3),
        "depth_within_1.25": pytest.approx(2 / 3),
    }


def test_pose_errors_turn_the_short_way() -> None:
    one, other = CameraPose(0.1, 3.1, 0.2), CameraPose(0.2, -3.1, 0.1)
    found = values("pose_error", (Movement(pose=one), Movement(pose=other)))
    assert found["polar_error"] == pytest.approx(np.degrees(0.1))
    assert found["azimuth_error"] == pytest.approx(np.degrees(2 * np.pi - 6.2))
    assert found["radius_error"] == pytest.approx(0.1)


def test_words_in_images_are_right_by_box_and_writing() -> None:
    """Of three words two are boxed and one is read; four boxes are found. The second item has no word."""
    there = item([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], ("Exit", "no", "way"))
    found = item([[0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 45, 10]], ("EXIT", "Exit", "on", "way"))
    figures = values("text_spotting", (found, there), (item([]), item([])))
    assert figures["spotting_precision"] == 1 / 4 and figures["spotting_recall"] == 1 / 3
    assert figures["spotting_f"] == pytest.approx(2 / 7) and figures["detection_f"] == pytest.approx(4 / 7)
    figures = values("text_spotting", (found, there), (UNREADABLE, there))
    assert figures["spotting_recall"] == 1 / 6 and figures["spotting_precision"] == 1 / 4


def test_instances_and_people_of_grit() -> None:
    one, other = mask(slice(0, 5), slice(0, 10)), mask(slice(5, 10), slice(0, 10))
    truth = Instances(name="cup", masks=(one, other))
    assert values("grit_instances", (Instances(name="cup", masks=(other,)), truth)) == {"grit_instances": 0.5}
    whole = Instances(name="grass", stuff=True, masks=(one | other,))
    assert values("grit_instances", (whole, replace(truth, stuff=True))) == {"grit_instances": 1.0}
    assert values("grit_instances", (UNREADABLE, replace(truth, masks=()))) == {"grit_instances": 0.0}
    person = Keypoints(np.arange(34, dtype=np.float32).reshape(17, 2), np.arange(17) < 9)
    unseen = replace(person, visible=np.zeros(17, dtype=bool))
    both = PeoplePoses(people=(person, unseen))
    assert values("grit_people", (PeoplePoses(people=(person,)), both)) == {"grit_people": 1.0}
    assert values("grit_people", (PeoplePoses(people=(person, person)), both)) == {"grit_people": 0.5}
    assert values("grit_people", (UNREADABLE, both)) == {"grit_people": 0.0}

"""Metrics of points, properties, pairs, spans, tracks, movements and captions with requirements, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.box_properties import Measured
from embodio.model.tasks.families.caption_constrained import ConstrainedCaption
from embodio.model.tasks.families.caption_several import SeveralCaptions
from embodio.model.tasks.families.cuboids import Objects3D
from embodio.model.tasks.families.find_events import Events
from embodio.model.tasks.families.flow import FlowItem
from embodio.model.tasks.families.navigate import Navigated
from embodio.model.tasks.families.normal_at import PointNormal
from embodio.model.tasks.families.point import Pointed
from embodio.model.tasks.families.refer_several import References
from embodio.model.tasks.families.relations import Relations
from embodio.model.tasks.families.track import Tracked
from embodio.model.tasks.locations.spatial import Cuboid

SHOWN = InputMedia(image=np.zeros((30, 40, 3), np.uint8))
BOX = np.array([0, 0, 10, 10], np.float32)
HALF = np.array([0, 0, 10, 20], np.float32)  # overlaps BOX by a half, which is not more than a half


def measured(name: str, found: Any, truth: Any) -> dict[str, float]:
    metric = named_metric(name)
    combined = metric.combine([metric.measure(found, truth)], np.ones((1, 1)))
    return {figure: round(float(values[0]), 6) for figure, values in combined.items()}


def pointed(*place: float) -> Pointed:
    return Pointed(media=SHOWN, expression="it", point=np.array(place, np.float32))


def test_points() -> None:
    assert measured("point_distance", pointed(3, 4), pointed(0, 0)) == {"point_distance": 0.1, "near_5": 0.0}
    assert measured("point_distance", pointed(0, 2), pointed(0, 0)) == {"point_distance": 0.04, "near_5": 1.0}
    assert measured("point_distance", None, pointed(0, 0)) == {"point_distance": 1.0, "near_5": 0.0}
    with pytest.raises(MetricError, match="image"):
        measured("point_distance", None, Pointed(expression="it", point=np.zeros(2, np.float32)))


def test_flow_has_outliers_from_three_pixels_on() -> None:
    truth = np.zeros((30, 40, 2), np.float32)
    truth[0, 0] = np.nan
    found = truth.copy()
    found[0] = (3, 4)
    figures = measured("flow_error", FlowItem(media=SHOWN, flow=found), FlowItem(media=SHOWN, flow=truth))
    assert figures == {"end_point_error": round(5 * 39 / 1199, 6), "outliers": round(39 / 1199, 6)}
    assert measured("flow_error", None, FlowItem(media=SHOWN, flow=found))["outliers"] == 1
    with pytest.raises(MetricError, match="no movement is known"):
        measured("flow_error", None, FlowItem(media=SHOWN, flow=np.full_like(truth, np.nan)))


def test_a_frame_without_the_object_is_right_if_nothing_is_found_there() -> None:
    nothing = np.full(4, np.nan, np.float32)
    truth = Tracked(media=SHOWN, start=BOX, boxes=np.stack([BOX, BOX, nothing, nothing]))
    found = Tracked(media=SHOWN, start=BOX, boxes=np.stack([BOX, HALF, nothing, BOX]))
    assert measured("track_overlap", found, truth) == {"track_overlap": 0.625, "track_50": 0.5}
    assert measured("track_overlap", None, truth) == {"track_overlap": 0.0, "track_50": 0.0}


def events(*spans: tuple[float, float], labels: tuple[str, ...]) -> Events:
    return Events(seconds=10, spans=np.array(spans, np.float32).reshape(-1, 2), labels=labels)


def test_spans_count_only_under_their_name() -> None:
    truth = events((0, 4), (5, 6), labels=("jump", "run"))
    found = events((1, 4), (5, 6), labels=("Jump", "sit"))
    assert measured("time_overlap", found, truth) == {"time_overlap": 0.25, "recall_50": 0.5}
    assert measured("time_overlap", truth, truth) == {"time_overlap": 1.0, "recall_50": 1.0}
    nothing = events(labels=())
    assert measured("time_overlap", nothing, nothing)["time_overlap"] == 1
    assert measured("time_overlap", None, truth)["recall_50"] == 0


def test_moves_and_positions() -> None:
    def at(move: str, *place: float) -> Navigated:
        here = np.zeros(3)
        return Navigated(
            goal=here, position=here, heading=0.0, with_state=True, move=move, next_position=np.array(place)
        )

    assert measured("move_accuracy", at("left", 0, 3, 4), at("left", 0, 0, 0)) == {
        "move_accuracy": 1.0,
        "position_error": 5.0,
    }
    assert measured("move_accuracy", None, at("stop", 0, 0, 0)) == {"move_accuracy": 0.0, "position_error": 100.0}


def test_the_order_of_boxes_matters() -> None:
    def boxes(*found: np.ndarray) -> References:
        return References(media=SHOWN, expressions=("a", "b"), boxes=np.stack(found))

    truth = boxes(BOX, BOX + 15)
    assert measured("boxes_in_order", boxes(BOX, HALF), truth) == {"accuracy_50": 0.5, "all_right": 0.0}
    assert measured("boxes_in_order", boxes(BOX + 15, BOX), truth)["accuracy_50"] == 0
    assert measured("boxes_in_order", truth, truth)["all_right"] == 1


def test_relations_need_word_name_and_place() -> None:
    def pairs(*listed: tuple[str, str, np.ndarray]) -> Relations:
        words, names, objects = zip(*listed, strict=True)
        return Relations(media=SHOWN, name="cup", box=BOX, relations=words, names=names, objects=np.stack(objects))

    truth = pairs(("on", "table", BOX), ("near", "dog", BOX + 15))
    found = pairs(("on", "table", BOX), ("on", "table", BOX), ("near", "dog", BOX), ("near", "cat", BOX + 15))
    assert measured("relations_found", found, truth) == {
        "relations_f1": round(2 / 6, 6),
        "relations_recall": 0.5,
        "relations_precision": 0.25,
    }
    assert measured("relations_found", None, truth)["relations_recall"] == 0


def test_requirements_are_counted_one_by_one() -> None:
    asked = ConstrainedCaption(text="x", longer_than=3, words=("cup",), prefix="Here; then")
    found = ConstrainedCaption(text="Here; then a dog", prefix="Here; then")
    assert measured("requirements_met", found, asked) == {"requirements_met": round(2 / 3, 6), "all_met": 0.0}
    assert measured("requirements_met", None, asked) == {"requirements_met": 0.0, "all_met": 0.0}


def test_normals_of_points() -> None:
    def normal(*axis: float) -> PointNormal:
        return PointNormal(media=SHOWN, point=np.zeros(2, np.float32), normal=np.array(axis, np.float32))

    assert measured("point_normal", normal(0, 2, 0), normal(1, 0, 0)) == {"normal_angle": 90.0, "within_22.5": 0.0}
    assert measured("point_normal", None, normal(1, 0, 0)) == {"normal_angle": 180.0, "within_22.5": 0.0}


def test_values_are_shares_of_the_image_and_objects_are_assigned() -> None:
    def widths(*found: float) -> Measured:
        values = np.array(found, np.float32).reshape(-1, 1)
        return Measured(media=SHOWN, property="width", name="cup", values=values)

    assert measured("value_error", widths(20, 10), widths(10, 24)) == {"value_error": 0.05}
    assert measured("value_error", widths(10), widths(10, 24)) == {"value_error": 0.5}
    assert measured("value_error", None, widths(10)) == {"value_error": 1.0}
    assert measured("value_error", widths(), widths()) == {"value_error": 0.0}


def test_several_captions() -> None:
    truth = SeveralCaptions(media=SHOWN, captions=("a red cup", "two dogs run"))
    half = SeveralCaptions(media=SHOWN, captions=("a red cup", "nothing here"))
    assert measured("captions_in_order", half, truth) == {"captions_rouge_l": 0.5}
    assert measured("captions_in_order", None, truth) == {"captions_rouge_l": 0.0}
    with pytest.raises(MetricError, match="captions: 1 found for 2"):
        measured("captions_in_order", SeveralCaptions(media=SHOWN, captions=("a",), wanted=0), truth)


def test_cuboids_are_found_where_they_are() -> None:
    def box(across: float, depth: float, size: float, turned: bool) -> Cuboid:
        quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
        return Cuboid((across, 10.0), depth, (size, size, size), quarter if turned else np.eye(3))

    truth = Objects3D(media=SHOWN, name="cup", cuboids=(box(10, 4, 1, False), box(30, 2, 1, False)))
    found = Objects3D(media=SHOWN, name="cup", cuboids=(box(30, 9, 1, False), box(12, 5, 2, True)))
    figures = measured("cuboid_errors", found, truth)
    assert figures == {"cuboids_f1": 0.5, "depth_error": 0.25, "size_error": 0.693147, "rotation_error": 90.0}
    assert measured("cuboid_errors", truth, truth)["cuboids_f1"] == 1
    assert measured("cuboid_errors", None, truth)["cuboids_f1"] == 0

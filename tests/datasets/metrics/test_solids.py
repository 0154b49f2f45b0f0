"""Boxes in space: overlaps by hand, against counting points, and errors of cuboids before a camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from embodio.datasets.metrics import tally
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.datasets.metrics.parts.solids import Solid, angle_between, shared_volume, solid_of, solid_overlap
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families.cuboids import Objects3D
from embodio.model.tasks.locations.spatial import Cuboid

IMAGE = np.zeros((100, 200, 3), dtype=np.uint8)


def solid(centre: tuple[float, ...], half: tuple[float, ...], turn: float = 0.0, axis: str = "y") -> Solid:
    return Solid(np.array(centre), Rotation.from_euler(axis, turn, degrees=True).as_matrix(), np.array(half))


def test_overlaps_by_hand() -> None:
    cube = solid((0, 0, 5), (1, 1, 1))
    assert shared_volume(cube, cube) == pytest.approx(8, abs=1e-9) and solid_overlap(cube, cube) == pytest.approx(1)
    assert shared_volume(cube, solid((1, 0, 5), (1, 1, 1))) == pytest.approx(4, abs=1e-9)
    assert shared_volume(cube, solid((0.5, 0.5, 5.5), (1, 1, 1))) == pytest.approx(1.5**3, abs=1e-9)
    assert shared_volume(cube, solid((0, 0, 5), (0.5, 0.5, 0.5), 30)) == pytest.approx(1, abs=1e-9), "inside"
    assert shared_volume(cube, solid((2, 0, 5), (1, 1, 1))) == pytest.approx(0, abs=1e-9), "they touch"
    assert shared_volume(cube, solid((9, 0, 5), (1, 1, 1))) == 0
    octagon = 8 * (2**0.5 - 1)  # the area that a square of side 2 shares with itself turned by 45 degrees
    assert shared_volume(cube, solid((0, 0, 5), (1, 1, 1), 45)) == pytest.approx(2 * octagon, abs=1e-9)
    assert shared_volume(cube, solid((0, 0, 5), (1, 1, 0))) == 0, "a flat one has no volume"


def test_overlaps_of_random_boxes_are_those_of_counted_points() -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        turns = Rotation.random(2, random_state=int(generator.integers(1000))).as_matrix()
        one, other = (Solid(generator.normal(size=3) * 0.4, turn, generator.random(3) + 0.3) for turn in turns)
        points = one.centre + (generator.uniform(-1, 1, (100_000, 3)) * one.half) @ one.axes.T
        inside = (np.abs(other.local(points)) <= other.half).all(axis=1).mean() * one.volume
        assert shared_volume(one, other) == pytest.approx(inside, abs=0.02)
        assert shared_volume(other, one) == pytest.approx(shared_volume(one, other), abs=1e-9)


def test_a_cuboid_before_the_virtual_camera() -> None:
    """The focal length is 100 pixels: 50 pixels to the right at 4 m are 2 m; the ray is turned by 26.6 degrees."""
    one = solid_of(Cuboid((150.0, 50.0), 4.0, (1.0, 2.0, 3.0), np.eye(3)), (100, 200))
    assert one.centre.tolist() == [2.0, 0.0, 4.0] and one.half.tolist() == [1.5, 1.0, 0.5]
    ray = np.array([0.5, 0, 1]) / 1.25**0.5
    assert np.allclose(one.axes[:, 2], ray) and np.allclose(one.axes[:, 1], [0, 1, 0])
    assert np.allclose(one.axes @ one.axes.T, np.eye(3)) and np.linalg.det(one.axes) == pytest.approx(1)
    assert angle_between(one.axes, np.eye(3)) == pytest.approx(26.565051177)


def cuboid(u: float = 100.0, depth: float = 4.0, turn: float = 0.0, size: float = 2.0) -> Cuboid:
    rotation = Rotation.from_euler("y", turn, degrees=True).as_matrix()
    return Cuboid((u, 50.0), depth, (size, 2.0, 2.0), rotation)


def test_figures_by_hand() -> None:
    """The first object is off by 1 m (overlap 1/3), the second is missed; then one is found that is not there."""
    scores = tally("cuboid_overlap")
    truth = Objects3D(media=InputMedia(image=IMAGE), name="box", cuboids=(cuboid(), cuboid(depth=20.0)))
    scores.update(replace(truth, cuboids=(cuboid(depth=5.0),)), truth)
    scores.update(replace(truth, cuboids=(cuboid(turn=30), cuboid(u=0.0))), replace(truth, cuboids=(cuboid(),)))
    scores.update(AnswerError("twelve values", ""), replace(truth, cuboids=()))
    found = {name: one.value for name, one in scores.result(resamples=10).estimates.items()}
    shared = shared_volume(solid((0, 0, 4), (1, 1, 1)), solid((0, 0, 4), (1, 1, 1), 30))
    turned = shared / (16 - shared)
    assert found["cuboid_iou"] == pytest.approx((1 / 3 / 2 + turned / 2 + 0) / 3, abs=1e-9)
    assert found["cuboid_recall_25"] == pytest.approx(2 / 3)
    assert found["cuboid_distance"] == pytest.approx(0.5) and found["cuboid_angle"] == pytest.approx(15)
    assert found["cuboid_size_error"] == 0.0
    assert scores.scores().tolist() == pytest.approx([1 / 6, turned / 2, 0.0])


def test_errors_of_sizes_and_what_is_missing() -> None:
    scores = tally("cuboid_overlap")
    truth = Objects3D(media=InputMedia(image=IMAGE), name="box", cuboids=(cuboid(),))
    scores.update(replace(truth, cuboids=(cuboid(size=3.0),)), truth)
    assert scores.result(resamples=2).estimates["cuboid_size_error"].value == pytest.approx(0.5 / 3)
    with pytest.raises(MetricError, match="needs its image"):
        scores.update(truth, Objects3D(name="box", cuboids=(cuboid(),)))
    with pytest.raises(MetricError, match="cuboids is not set"):
        scores.update(truth, replace(truth, cuboids=None))

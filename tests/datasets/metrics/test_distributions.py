"""Distances of sets: Frechet against torchmetrics and a square root of matrices, kernel distance by its sums."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.embedding import EmbeddingMetric, packed, unpacked
from embodio.datasets.metrics.parts.frechet import frechet_distance, kernel_distance
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.datasets.metrics.parts.tally import Tally
from embodio.model.tasks.base.image_family import ImageItem
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families.make_sound import SoundItem


def colours(medium: Any) -> np.ndarray:
    return np.asarray(medium, dtype=np.float32).reshape(-1, 3).mean(axis=0)


def metric(name: str, embed: Any = colours) -> EmbeddingMetric[Any]:
    found = named_metric(name)
    assert isinstance(found, EmbeddingMetric)
    return found.using(embed)


@pytest.mark.parametrize(("rows", "width"), [((40, 30), 5), ((6, 9), 20)])
def test_frechet_distance_of_gaussians(rows: tuple[int, int], width: int) -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.normal(size=(count, width)) @ generator.normal(size=(width, width)) for count in rows)
    covariances = [np.cov(table, rowvar=False) for table in (one, other)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = np.square(one.mean(axis=0) - other.mean(axis=0)).sum() + np.trace(sum(covariances) - 2 * root)
    # with fewer rows than features the root of a singular matrix has only half of the digits
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9 if width == 5 else 1e-4)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_distances_are_those_of_torchmetrics() -> None:
    pytest.importorskip("torchmetrics", reason="compares with a package of the dev extra")
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    class Colours(torch.nn.Module):
        num_features = 3

        def forward(self, pictures: Any) -> Any:
            return pictures.to(torch.float64).mean(dim=(2, 3))

    pictures = np.random.default_rng(1).integers(0, 256, (2, 24, 8, 8, 3)).astype(np.uint8)
    pictures[1] //= 2
    theirs = FrechetInceptionDistance(feature=Colours(), input_img_size=(3, 8, 8)).set_dtype(torch.float64)
    kernel = KernelInceptionDistance(feature=Colours(), subsets=1, subset_size=24)
    for pixels, real in zip(pictures, (False, True), strict=True):
        for one in (theirs, kernel):
            one.update(torch.from_numpy(pixels).permute(0, 3, 1, 2), real=real)
    features = [np.array([one.reshape(-1, 3).mean(axis=0) for one in side]) for side in pictures]
    assert frechet_distance(*features) == pytest.approx(float(theirs.compute()), rel=1e-6)
    assert kernel_distance(*features) == pytest.approx(float(kernel.compute()[0]), rel=1e-6)


def test_kernel_distance_by_its_sums() -> None:
    """Features 0 and 1 against 2 and 3: kernels (x y + 1)^3."""
    one, other = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    assert kernel_distance(one, other) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)


def test_pictures_have_one_figure_without_an_interval() -> None:
    scores = Tally(metric("picture_distance"))
    generator = np.random.default_rng(2)
    for _ in range(6):
        pair = [ImageItem(drawn=generator.integers(0, 256, (4, 4, 3)).astype(np.uint8)) for _ in range(2)]
        scores.update(*pair)
    scores.update(AnswerError("a picture", ""), pair[0])
    json.dumps(scores.measures)
    found = scores.result().estimates["frechet_distance"]
    features = [np.concatenate([unpacked(one[side]) for one in scores.measures]) for side in (0, 1)]
    assert (features[0][-1] == 0).all(), "an unreadable answer is black"
    assert found.value == pytest.approx(frechet_distance(*features)) and found.low is None
    assert scores.scores().shape == (7,)


def test_sounds_may_have_several_windows() -> None:
    scores = Tally(metric("sound_distance", lambda sound: np.asarray(sound).reshape(-1, 2)))
    for place in range(3):
        scores.update(*(SoundItem(text="", sound=np.arange(6, dtype=np.float32) * place + side) for side in (0, 1)))
    scores.update(AnswerError("a sound", ""), SoundItem(text="", sound=np.ones(2, dtype=np.float32)))
    assert np.isfinite(scores.result().estimates["sound_frechet_distance"].value)


def test_packed_features_are_the_same() -> None:
    features = np.random.default_rng(3).normal(size=(3, 5)).astype(np.float32)
    assert np.array_equal(unpacked(packed(features)), features)


def test_what_cannot_be_measured() -> None:
    item = ImageItem(drawn=np.zeros((2, 2, 3), dtype=np.uint8))
    with pytest.raises(MetricError, match="PictureDistance needs a network: embed=module:function"):
        named_metric("picture_distance").measure(item, item)
    with pytest.raises(MetricError, match="expected finite features"):
        metric("picture_distance", lambda _: [np.nan]).measure(item, item)
    scores = Tally(metric("picture_distance"))
    scores.update(item, item)
    with pytest.raises(MetricError, match="at least two items"):
        scores.result()
    widths = iter([1, 2, 3, 4])
    uneven = Tally(metric("picture_distance", lambda _: np.zeros(next(widths))))
    uneven.update(item, item)
    uneven.update(item, item)
    with pytest.raises(MetricError, match="different widths"):
        uneven.result()

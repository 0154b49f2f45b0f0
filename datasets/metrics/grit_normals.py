"""GRIT normals: the share of normals within 11.25 degrees after the rotation that brings most of them there."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.normal_angles import with_normal
from embodio.datasets.metrics.parts.metric import Doubles, MeanMetric, given, higher, same_shape
from embodio.model.tasks.families.normals import NormalsItem

_COSINE = float(np.cos(np.radians(11.25)))
_ROUNDS, _SAMPLE = 500, 500


class GritNormals(MeanMetric[NormalsItem]):
    """GRIT's measure of normals (arXiv 2204.13653, section 4); the axes of a network may differ from those of the data.

    The rotation is found by random sampling with a fixed seed; the identity is tried first.
    """

    figures = higher("grit_normals")
    reads = ("normals",)

    def measure(self, found: NormalsItem | None, truth: NormalsItem) -> dict[str, float]:
        """The score; an unreadable answer is wrong."""
        right = given(truth, "normals")
        known = with_normal(right)
        if found is None:
            return {"grit_normals": 0.0}
        own = given(found, "normals")
        same_shape(own, right, "normals")
        return {"grit_normals": normals_score(own[known], right[known])}


def normals_score(found: Doubles, truth: Doubles, *, rotate: bool = True) -> float:
    """The share of normals [P, 3] within 11.25 degrees, after the best rotation that is found."""
    one, other = (_unit(np.asarray(vectors, dtype=np.float64)) for vectors in (found, truth))
    rotation = _rotation(one, other) if rotate else np.eye(3)
    return _near(one @ rotation.T, other)


def _rotation(found: Doubles, truth: Doubles) -> Doubles:
    """The rotation of `found` under which most of a sample are near `truth`, each candidate from two pixels."""
    generator = np.random.default_rng(0)
    best, most = np.eye(3), -1.0
    for round_number in range(_ROUNDS):
        candidate = best
        if round_number:
            pair = generator.choice(len(found), size=min(2, len(found)), replace=False)
            candidate = _aligning(found[pair], truth[pair])
        sample = generator.choice(len(found), size=min(_SAMPLE, len(found)), replace=False)
        near = _near(found[sample] @ candidate.T, truth[sample])
        if near > most:
            best, most = candidate, near
    return best


def _aligning(found: Doubles, truth: Doubles) -> Doubles:
    """The rotation [3, 3] with the least squared error (Kabsch, 1976)."""
    left, _, right = np.linalg.svd(truth.T @ found)
    mirrored = np.array([1.0, 1.0, np.linalg.det(left @ right)])
    return np.asarray((left * mirrored) @ right)


def _near(found: Doubles, truth: Doubles) -> float:
    return float(((found * truth).sum(axis=1) > _COSINE).mean())


def _unit(vectors: Doubles) -> Doubles:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


METRIC = GritNormals()

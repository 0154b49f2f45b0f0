"""Mean IoU: overlap of all pixels of a name, as a mean over names, as in semantic segmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from embodio.datasets.metrics.parts.metric import Combined, Doubles, Metric, given, higher, mean_of_known, ratio
from embodio.datasets.metrics.parts.overlap import mask_counts
from embodio.model.tasks.families.segment import Segmented


class MeanIou(Metric[Segmented]):
    """Intersection over union of sums over all images, for each name that occurs; the mean over names."""

    figures = higher("mean_iou")
    reads = ("mask", "name")

    def measure(self, found: Segmented | None, truth: Segmented) -> dict[str, float | str]:
        """The name, and the pixels of intersection and union."""
        right = given(truth, "mask")
        shared, union = mask_counts(np.zeros_like(right) if found is None else given(found, "mask"), right)
        return {"name": truth.name.strip().lower(), "shared": shared, "union": union}

    def combine(self, measures: Sequence[Mapping[str, float | str]], weights: Doubles) -> Combined:
        """The mean over the names that count."""
        columns = []
        for name in sorted({str(one["name"]) for one in measures}):
            own = np.array([(one["shared"], one["union"]) if one["name"] == name else (0, 0) for one in measures])
            sums = weights @ own.astype(np.float64)
            columns.append(ratio(sums[:, 0], sums[:, 1]))
        return {"mean_iou": mean_of_known(np.stack(columns, axis=1))}

    def scores(self, measures: Sequence[Mapping[str, float | str]]) -> Doubles:
        """The overlap of each item."""
        return ratio([float(one["shared"]) for one in measures], [float(one["union"]) for one in measures])


METRIC = MeanIou()

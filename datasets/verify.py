"""Checks of a data set's numbers against its robot: what spoils a policy and is not seen in a plot of the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.datasets.dimension_names import dimension_names, dimensions_of
from embodio.datasets.errors import DatasetError
from embodio.datasets.source import EpisodeSource
from embodio.datasets.verify_gripper import check_gripper
from embodio.envs.embodiment import Dimension, Embodiment

CLIPPED = 0.25
"""Share of the steps at a limit from which on a dimension is reported."""
FEW_BINS = 0.1
"""Share of the bins that can be used, below which a dimension is reported."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was checked.
        status: "ok", "warning", or "unknown" where the data cannot tell.
        found: the figures.
        remedy: what to do about a warning; empty otherwise.
    """

    check: str
    status: Literal["ok", "warning", "unknown"]
    found: str
    remedy: str = ""


Vectors = npt.NDArray[np.float64]


def verify(
    source: EpisodeSource, episodes: int = 0, bins: int = 201, *, done: Callable[[int], None] = lambda count: None
) -> list[Finding]:
    """Reads actions and states, and checks them.

    Args:
        source: the data set.
        episodes: how many to read from the first on; 0 reads all.
        bins: levels of a continuous action dimension.
        done: called with the number of episodes that are read, after each.

    Returns:
        One finding for each check, in a fixed order.

    Raises:
        DatasetError: there is no step to check, or an episode cannot be read.
    """
    count = min(len(source), episodes or len(source))
    has_state = any(path in source.features.steps for path in ("state", "observation/state"))
    actions, states = list[Vectors](), list[Vectors]()
    for index in range(count):
        episode = source.episode(index)
        actions.append(_rows(episode.array("action"), len(episode)))
        if has_state:
            states.append(_rows(episode.array("state"), len(episode)))
        done(index + 1)
    if not sum(map(len, actions)):
        raise DatasetError(f"{source.name}: there is no step to verify")
    fields = {"action": np.concatenate([rows for rows in actions if len(rows)])}
    if has_state:
        fields["state"] = np.concatenate([rows for rows in states if len(rows)])
    names = {field: dimension_names(source, field, rows.shape[1]) for field, rows in fields.items()}
    action = fields["action"]
    dimensions = dimensions_of(source, "action", action.shape[1])
    return [
        check_finite(fields, names),
        check_constant(fields, names),
        check_clipping(action, dimensions),
        check_bins(action, dimensions, bins),
        Finding("gripper sign", *check_gripper(_robot(source), actions, states)),
        _orientation(_robot(source)),
    ]


def check_finite(fields: dict[str, Vectors], names: dict[str, tuple[str, ...]]) -> Finding:
    """Counts numbers that are not finite. `fields` are [N, D], `names` those of the D dimensions."""
    bad = {
        f"{field} {name}": int(total)
        for field, rows in fields.items()
        for name, total in zip(names[field], (~np.isfinite(rows)).sum(axis=0), strict=True)
        if total
    }
    if bad:
        return Finding("finite numbers", "warning", _counts(bad), "repair or leave out these steps; codecs refuse them")
    return Finding("finite numbers", "ok", f"{len(fields['action'])} steps")


def check_constant(fields: dict[str, Vectors], names: dict[str, tuple[str, ...]]) -> Finding:
    """Finds dimensions that never change; arguments as of `check_finite`."""
    constant = [
        f"{field} {name}"
        for field, rows in fields.items()
        for index, name in enumerate(names[field])
        if len(rows) > 1 and len(np.unique(rows[:, index][np.isfinite(rows[:, index])])) < 2
    ]
    if constant:
        return Finding(
            "constant dimensions", "warning", ", ".join(constant), "check the key map; a policy learns nothing"
        )
    return Finding("constant dimensions", "ok", "every dimension changes")


def check_clipping(action: Vectors, dimensions: Sequence[Dimension]) -> Finding:
    """The share of steps [N, A] at or beyond the limits, for each continuous dimension."""
    if not dimensions:
        return Finding("clipping", "unknown", "the robot is not described, so there are no limits")
    shares, beyond = dict[str, float](), dict[str, float]()
    for dimension, values in zip(dimensions, action.T, strict=True):
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        edge = 1e-6 * (dimension.high - dimension.low)
        low, high = finite - dimension.low, dimension.high - finite
        outside = float(((low < -edge) | (high < -edge)).mean())
        if outside:
            beyond[dimension.name] = outside
        if dimension.kind == "continuous":
            shares[dimension.name] = float(((low <= edge) | (high <= edge)).mean())
    text = _shares(shares)
    if beyond:
        remedy = "widen the limits of the embodiment, or train with action_range=quantiles"
        return Finding("clipping", "warning", f"beyond the limits: {_shares(beyond)}; at them: {text}", remedy)
    if max(shares.values(), default=0.0) > CLIPPED:
        remedy = "the demonstrator ran into the limits: a larger range per unit would keep what was meant"
        return Finding("clipping", "warning", f"at the limits: {text}", remedy)
    return Finding("clipping", "ok", f"at the limits: {text}")


def check_bins(action: Vectors, dimensions: Sequence[Dimension], bins: int) -> Finding:
    """The share of the bins between the limits that the steps [N, A] use, for each continuous dimension."""
    if not dimensions:
        return Finding("bin use", "unknown", "the robot is not described, so there are no limits")
    shares = dict[str, float]()
    for dimension, values in zip(dimensions, action.T, strict=True):
        if dimension.kind == "continuous":
            unit = (values[np.isfinite(values)] - dimension.low) / (dimension.high - dimension.low)
            levels = np.floor(np.clip(unit, 0, 1) * (bins - 1) + 0.5)
            shares[dimension.name] = len(np.unique(levels)) / bins
    reachable = min(bins, len(action)) / bins
    if min(shares.values(), default=1.0) < FEW_BINS * reachable:
        remedy = "the limits are far wider than the data: train with action_range=quantiles or minmax"
        return Finding("bin use", "warning", f"of {bins}: {_shares(shares)}", remedy)
    return Finding("bin use", "ok", f"of {bins}: {_shares(shares)}")


def _orientation(robot: Embodiment | None) -> Finding:
    if robot is None or not robot.cameras:
        return Finding("image orientation", "unknown", "the robot's cameras are not described; look at `visualise`")
    flipped = [camera.name for camera in robot.cameras if camera.orientation == "flipped"]
    if flipped:
        remedy = "turn the images upright when converting; policies expect them so"
        return Finding("image orientation", "warning", f"described as flipped: {', '.join(flipped)}", remedy)
    return Finding("image orientation", "unknown", "described as upright; a replay or `visualise` shows it")


def _robot(source: EpisodeSource) -> Embodiment | None:
    try:
        return source.embodiment
    except DatasetError:
        return None


def _rows(values: npt.NDArray[np.generic], steps: int) -> Vectors:
    return np.asarray(values, np.float64).reshape(steps, -1) if steps else np.zeros((0, 0))


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items()) or "no continuous dimension"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count} steps" for name, count in counts.items())

"""Checks of a data set's numbers against its robot: faults that spoil a policy and that no loss curve shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.datasets.checks.finding import Finding
from embodio.datasets.checks.gripper import check_gripper
from embodio.datasets.checks.images import ImageCheck
from embodio.datasets.checks.motion import check_motion
from embodio.datasets.episodes.dimension_names import dimension_names, dimensions_of
from embodio.datasets.episodes.source import EpisodeSource, robot_of
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.envs.embodiment import Dimension, Embodiment

CLIPPED = 0.5
"""Share of the steps at a limit from which on a dimension is reported."""
NARROW = 0.05
"""Share of the limits' range, below which a dimension is reported if 98 % of its values lie within."""
_NAMED = 5  # damaged episodes that are named one by one

Vectors = npt.NDArray[np.float64]


def verify(
    source: EpisodeSource,
    episodes: int = 0,
    bins: int = 201,
    *,
    every_frame: bool = False,
    done: Callable[[int], None] = lambda count: None,
) -> list[Finding]:
    """Reads actions, states and images, and checks them.

    Args:
        source: the data set.
        episodes: how many to read from the start; 0 reads all.
        bins: number of bins of a continuous action dimension.
        every_frame: open all images, not only the first and last one of each camera and episode.
        done: called after each with the number of episodes done so far.

    Returns:
        One finding for each check, in a fixed order.

    Raises:
        DatasetError: there are no steps to check.
    """
    count = min(len(source), episodes or len(source))
    images = ImageCheck(source, every_frame=every_frame)
    actions, states, damaged, empty = _read(source, count, images, done)
    if not sum(map(len, actions)):
        why = f"; {next(iter(damaged.values()))}" if damaged else ""
        raise DatasetError(f"{source.name}: there is no step to verify{why}")
    fields = {"action": np.concatenate(actions)}
    if states:
        fields["state"] = np.concatenate(states)
    names = {field: dimension_names(source, field, rows.shape[1]) for field, rows in fields.items()}
    action = fields["action"]
    dimensions = dimensions_of(source, "action", action.shape[1])
    return [
        *_complete(source),
        *_guesses(robot_of(source)),
        _readable(count, damaged, empty, list(getattr(source, "remarks", ()))),
        images.finding(),
        check_finite(fields, names),
        check_constant(fields, names),
        check_clipping(action, dimensions),
        check_bins(action, dimensions, bins),
        Finding("gripper sign", *check_gripper(robot_of(source), actions, states)),
        check_motion(robot_of(source), actions, states),
        _orientation(robot_of(source)),
    ]


def _read(
    source: EpisodeSource, count: int, images: ImageCheck, done: Callable[[int], None]
) -> tuple[list[Vectors], list[Vectors], dict[int, str], list[int]]:
    """Actions and states of the first episodes, what is wrong with damaged ones, and the numbers of empty ones."""
    has_state = any(path in source.features.steps for path in ("state", "observation/state"))
    actions, states, damaged, empty = list[Vectors](), list[Vectors](), dict[int, str](), list[int]()
    for index in range(count):
        try:
            episode = source.episode(index)
            if len(episode):
                rows = _rows(episode.array("action"), len(episode))
                states += [_rows(episode.array("state"), len(episode))] if has_state else []
                actions.append(rows)
                images.look(index, episode)
            else:
                empty.append(index)
        except (CorruptRecordError, FeatureError) as error:
            damaged[index] = str(error)
        done(index + 1)
    return actions, states, damaged, empty


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
    """Finds dimensions that never change, or so rarely that quantiles do not; arguments as of `check_finite`."""
    constant: list[str] = []
    rare: list[str] = []
    for field, rows in fields.items():
        for index, name in enumerate(names[field]):
            column = rows[:, index][np.isfinite(rows[:, index])]
            if len(rows) > 1 and len(np.unique(column)) < 2:
                constant.append(f"{field} {name}")
            elif len(column) and len(np.unique(np.quantile(column, (0.01, 0.99)))) < 2:
                rare.append(f"{field} {name}")
    found = ", ".join(constant) or "every dimension changes"
    remedies = ["check the key map, unless it is meant so; a policy learns nothing from them"] if constant else []
    if rare:
        found += f"; constant but for outliers: {', '.join(rare)}"
        remedies.append("action_range=quantiles has no range for those with outliers only; take minmax or limits")
    return Finding("constant dimensions", "note" if remedies else "ok", found, "; ".join(remedies))


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
        if dimension.kind == "continuous" and not _is_turn(dimension) and np.ptp(finite) > edge:
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
    """The share of the bins between the limits that the steps [N, A] use, for each continuous dimension.

    It is a warning where the values lie close together; those of a constant dimension and of full turns may.
    """
    if not dimensions:
        return Finding("bin use", "unknown", "the robot is not described, so there are no limits")
    shares, narrow = dict[str, float](), list[str]()
    for dimension, values in zip(dimensions, action.T, strict=True):
        finite = values[np.isfinite(values)]
        if dimension.kind != "continuous" or not len(finite):
            continue
        unit = np.clip((finite - dimension.low) / (dimension.high - dimension.low), 0, 1)
        shares[dimension.name] = len(np.unique(np.floor(unit * (bins - 1) + 0.5))) / bins
        low, high = np.quantile(unit, (0.01, 0.99))
        if not _is_turn(dimension) and high - low < NARROW and np.ptp(unit) > 0:
            narrow.append(dimension.name)
    text = f"of {bins}: {_shares(shares)}"
    if narrow:
        remedy = "the limits are far wider than the data: train with action_range=quantiles or minmax"
        return Finding("bin use", "warning", f"{text}; close together: {', '.join(narrow)}", remedy)
    return Finding("bin use", "ok", text)


def _complete(source: EpisodeSource) -> list[Finding]:
    """Parts of the data set that were not fetched."""
    missing = getattr(source, "missing", ())
    return [Finding("complete files", "warning", "; ".join(missing), "fetch them")] if missing else []


def _guesses(robot: Embodiment | None) -> list[Finding]:
    """Values that nobody has confirmed."""
    guessed = ", ".join(robot.guessed) if robot is not None else ""
    remedy = "look at the checks below, correct the YAML file, and take what is right out of `guessed`"
    return [Finding("guesses", "note", f"confirmed by nobody: {guessed}", remedy)] if guessed else []


def _readable(count: int, damaged: dict[int, str], empty: list[int], remarks: list[str]) -> Finding:
    """Counts damaged and empty episodes, and passes on errors in descriptions that the source found and corrected."""
    found, remedies = list[str](), list[str]()
    if damaged:
        found.append(f"{len(damaged)} of {count} are damaged: {_listed(list(damaged))}; {next(iter(damaged.values()))}")
        remedies.append("fetch them again")
    if empty:
        found.append(f"{len(empty)} of {count} have no steps and are left out: {_listed(empty)}")
    if remarks:
        found += remarks[:_NAMED]
        found += [f"and {len(remarks) - _NAMED} more"] if len(remarks) > _NAMED else []
        remedies.append("correct the descriptions: other programs believe them")
    status: Literal["ok", "note", "warning"] = "warning" if remedies else "note" if empty else "ok"
    return Finding("readable episodes", status, "; ".join(found) or f"all of {count}", "; ".join(remedies))


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:_NAMED])) + (", ..." if len(numbers) > _NAMED else "")


def _is_turn(dimension: Dimension) -> bool:
    """Whether the limits are the same angle, a full turn apart."""
    return dimension.unit == "degrees" and dimension.high - dimension.low == 360.0


def _orientation(robot: Embodiment | None) -> Finding:
    if robot is None or not robot.cameras:
        return Finding("image orientation", "unknown", "the robot's cameras are not described; look at `visualise`")
    flipped = [camera.name for camera in robot.cameras if camera.orientation == "flipped"]
    if flipped:
        remedy = "turn the images upright when converting; policies expect them so"
        return Finding("image orientation", "warning", f"described as flipped: {', '.join(flipped)}", remedy)
    return Finding("image orientation", "unknown", "described as upright; a replay or `visualise` shows it")


def _rows(values: npt.NDArray[np.generic], steps: int) -> Vectors:
    return np.asarray(values, np.float64).reshape(steps, -1)


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items()) or "no continuous dimension"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count} steps" for name, count in counts.items())

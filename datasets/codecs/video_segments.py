"""The frames of one episode in a shared video file, chosen by the times at which they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError

if TYPE_CHECKING:
    from embodio.model.processing.frame_index import FrameIndex

_REMEDY = "Fetch the file again, or leave these episodes out"
_ROUNDING = 1e-3  # share of a step that times may be off because containers and tables round them
_SAME_RATE = (0.75, 1.33)  # steps between two frames, within which each step is taken to have a frame of its own

Seconds = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """The place of an episode in a video file, as the data set describes it.

    Attributes:
        path: the file.
        begin: time of the first frame, in seconds.
        end: time at which the episode is over; infinite if unknown.
        step: duration of a step of the data, in seconds.
        height: rows of a frame.
        width: columns of a frame.
        rate: frames per second of the video; None expects the rate of the data.
        before: steps of the episodes before it in the file.
        total: steps of all episodes in the file.
        file_end: time at which the last of them is over.
    """

    path: Path
    begin: float
    end: float
    step: float
    height: int
    width: int
    rate: float | None
    before: int
    total: int
    file_end: float


class VideoSegment:
    """The frames of one episode."""

    def __init__(self, stretch: Stretch, times: Seconds) -> None:
        """Takes what is known of the episode; the file is opened on demand.

        Args:
            stretch: where it lies.
            times: when each step is shown in the file, float64 [T], in seconds.
        """
        self._stretch, self._times = stretch, times
        self._chosen: Numbers | None = None

    def frame(self, step: int) -> npt.NDArray[np.uint8]:
        """The picture of one step, uint8 [H, W, 3].

        Raises:
            CorruptRecordError: the file is missing or damaged, no frame lies within half a step of the time, the times
                contradict the description, or the size does.
        """
        return self._read(step, depth=False)

    def depth(self) -> npt.NDArray[np.uint16]:
        """The depth of all steps, uint16 [T, H, W, 1], as it is stored; raises CorruptRecordError as `frame`."""
        if not len(self._times):
            return np.zeros((0, self._stretch.height, self._stretch.width, 1), np.uint16)
        return np.stack([self._read(step, depth=True)[..., None] for step in range(len(self._times))])

    def _read(self, step: int, *, depth: bool) -> npt.NDArray[Any]:
        from embodio.datasets.codecs.open_videos import OPEN_VIDEOS
        from embodio.model.processing.media_files import MediaError

        path = self._stretch.path
        try:
            with OPEN_VIDEOS.borrow(path) as video:
                if self._chosen is None:
                    self._chosen = choose(self._stretch, video.index, self._times)
                number, shown = int(self._chosen[step]), video.index.times
                if number >= 0:
                    pixels: npt.NDArray[Any] = video.depth(number) if depth else video.picture(number)
        except MediaError as error:
            raise CorruptRecordError(path, step, str(error).removeprefix(f"{path}: "), _REMEDY) from error
        if number < 0:
            raise self._missing(step, shown)
        if pixels.shape[:2] != (self._stretch.height, self._stretch.width):
            found = f"its frames are {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width)"
            wanted = f"where {self._stretch.height} x {self._stretch.width} is described"
            raise CorruptRecordError(path, step, f"{found}, {wanted}", "Correct the shape in meta/info.json")
        return pixels

    def _missing(self, step: int, shown: Seconds) -> CorruptRecordError:
        time = float(self._times[step])
        nearest = float(shown[np.abs(shown - time).argmin()])
        what = f"step {step} of the episode is at {time:.3f} s, and the nearest frame in the file is at {nearest:.3f} s"
        limits = f"; the episode lies from {self._stretch.begin:.3f} to {self._stretch.end:.3f} s"
        return CorruptRecordError(self._stretch.path, step, f"no frame for a step: {what}{limits}", _REMEDY)


def choose(stretch: Stretch, index: FrameIndex, times: Seconds) -> Numbers:
    """Chooses the frame of each step: the nearest one within half a step, inside the episode.

    Times alone do not reveal a video whose frames were counted at another rate, or moved up when one was dropped. So
    if there is a frame for each step of the file's episodes, it must be the one found by counting; if frames come at
    the rate of the steps, no frame may be used twice or left out; and the first and the last step need one.

    Args:
        stretch: where the episode lies.
        index: when each of the F frames in the file is shown.
        times: when each of the T steps is, float64 [T].

    Returns:
        int64 [T], number of each step's frame; -1 if there is none.

    Raises:
        CorruptRecordError: times and description contradict each other.
    """
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise _contradiction(stretch, "the timestamps of the steps do not ascend")
    _require_rate(stretch, index)
    shown = index.times
    slack = min(index.interval, stretch.step) / 4  # how far outside the episode a frame may be
    first = int(np.searchsorted(shown, stretch.begin - slack))
    last = max(first, int(np.searchsorted(shown, stretch.end - slack)))
    inside = shown[first:last]
    if not len(inside):
        return np.full(len(times), -1, np.int64)
    after = np.clip(np.searchsorted(inside, times), 0, len(inside) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(times - inside[before] <= inside[after] - times, before, after)
    near = np.abs(inside[nearest] - times) <= stretch.step * (0.5 + _ROUNDING)
    chosen = np.where(near, nearest + first, -1)
    _require_agreement(stretch, chosen, len(shown), index.interval)
    return chosen


def _require_agreement(stretch: Stretch, chosen: Numbers, frames: int, interval: float) -> None:
    steps = np.flatnonzero(chosen >= 0)
    if steps.size and (chosen[[0, -1]] < 0).any():
        end = "first" if chosen[0] < 0 else "last"
        problem = f"there is no frame for the {end} step, so the others may be shifted"
        raise CorruptRecordError(stretch.path, 0 if chosen[0] < 0 else len(chosen) - 1, problem, _REMEDY)
    if frames == stretch.total:
        wrong = steps[chosen[steps] != stretch.before + steps]
        if wrong.size:
            step = int(wrong[0])
            raise _contradiction(
                stretch,
                f"there is a frame for each of the {frames} steps, but by the times step {step} has frame "
                f"{chosen[step]} of the file, and by counting {stretch.before + step}",
            )
    elif _SAME_RATE[0] < interval / stretch.step < _SAME_RATE[1]:
        gaps, between = np.diff(chosen[steps]), np.diff(steps)
        wrong = np.flatnonzero((gaps < 1) | (gaps > between))
        if wrong.size:
            step = int(steps[wrong[0] + 1])
            how = "the same frame as" if gaps[wrong[0]] < 1 else "not the next frame after that of"
            raise _contradiction(stretch, f"by the times step {step} has {how} the step before it")


def _require_rate(stretch: Stretch, index: FrameIndex) -> None:
    """Requires the described rate of a video that does not end with its episodes, or seems to have a frame per step."""
    shown, interval, rate = index.times, index.interval, stretch.rate or 1 / stretch.step
    ends_well = abs(shown[-1] + interval - stretch.file_end) <= stretch.step / 2
    if len(shown) < 3 or (ends_well and not _SAME_RATE[0] < interval / stretch.step < _SAME_RATE[1]):
        return
    spans = np.diff(shown)
    counts = np.maximum(np.rint(spans / interval), 1)
    if np.abs(spans - counts * interval).max() > interval / 10:
        return  # frames are irregular
    found = float(counts.sum() / spans.sum())
    if abs(found / rate - 1) * len(shown) > 0.5:
        raise _contradiction(
            stretch,
            f"the video has {found:.4g} frames a second and ends at {shown[-1] + interval:.3f} s, where {rate:.4g} and "
            f"{stretch.file_end:.3f} s are described",
        )


def _contradiction(stretch: Stretch, problem: str) -> CorruptRecordError:
    remedy = "Correct the times (timestamp, from_timestamp, fps) or write the video again with one frame a step"
    return CorruptRecordError(stretch.path, 0, problem, remedy)

"""Crops: a rectangle of a frame, resized to the whole; random ones in training, the middle when a policy acts."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]


def crop(frame: Frame, area: float, ratio: float = 0.0, place: tuple[float, ...] = (0.5, 0.5)) -> Frame:
    """Cuts a rectangle out of a frame and resizes it to the frame's size.

    Args:
        frame: uint8 [H, W, C].
        area: share of the frame that is left, in (0, 1].
        ratio: logarithm of width over height, relative to the frame; less where the rectangle would not fit.
        place: where it is, down and right, from 0 (top, left) to 1 (bottom, right); the middle by default.
    """
    limit = -math.log(area)
    ratio = min(max(ratio, -limit), limit)
    down, right = math.sqrt(area * math.exp(-ratio)), math.sqrt(area * math.exp(ratio))
    top, left, height, width = rectangle(frame, down, right, place)
    if (height, width) == frame.shape[:2]:
        return frame
    part = np.ascontiguousarray(frame[top : top + height, left : left + width])
    resized = cv2.resize(part, (frame.shape[1], frame.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8).reshape(frame.shape)  # OpenCV drops a single channel


def rectangle(frame: Frame, down: float, right: float, place: tuple[float, ...]) -> tuple[int, int, int, int]:
    """Top, left, height and width of a rectangle in a frame.

    Args:
        frame: [H, W, C].
        down: share of the frame's height.
        right: share of its width.
        place: see `crop`.
    """
    height = min(max(round(frame.shape[0] * down), 1), frame.shape[0])
    width = min(max(round(frame.shape[1] * right), 1), frame.shape[1])
    top, left = round((frame.shape[0] - height) * place[0]), round((frame.shape[1] - width) * place[1])
    return top, left, height, width

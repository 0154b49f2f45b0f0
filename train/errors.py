"""Errors of training."""

from __future__ import annotations


class TrainError(Exception):
    """Base of all errors raised by `embodio.train`."""


class ResumeError(TrainError):
    """The folder holds a run other than the requested one."""


class Diverged(TrainError):
    """The loss or the gradient is no longer finite."""

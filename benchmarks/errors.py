"""Errors of the benchmarks."""

from __future__ import annotations


class BenchmarkError(Exception):
    """Base of all errors raised by `embodio.benchmarks`."""


class ResultsError(BenchmarkError):
    """The results in a folder are damaged, or belong to another run; the message says which field and what to do."""


class ComparisonError(BenchmarkError):
    """Results that cannot be compared; the message names the folder and what to do."""


class PeerError(BenchmarkError):
    """A policy of another library cannot be trained or played; the message says what its Python wrote or lacks."""

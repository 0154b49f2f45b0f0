"""What an agent answers besides an action: distributions, how sure it was, how long it took, what it thinks of one.

`RemoteAgent` gives these too, so this file needs NumPy only and runs on Python 3.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, repr=False)
class DimensionDistribution:
    """What the network thought of one number of an action.

    Attributes:
        name: of the dimension.
        values: [n] the levels that it may have, from low to high.
        probabilities: [n] of the levels, with guidance, among the legal ones.
        chosen: the level that was decoded.
        legal_mass: probability of all legal levels together before anything was masked; a network that sees what it was
            trained on is near 1. It is 0 where the network gave no finite numbers.
        words: [n] what the levels stand for; empty for a dimension of numbers.
    """

    name: str
    values: np.ndarray
    probabilities: np.ndarray
    chosen: int
    legal_mass: float
    words: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """What a person wants to know of it, without the arrays."""
        shown = repr(self.word) if self.words else f"{self.sample:.4g}"
        about = f"mean={self.mean:.4g}, " if not self.words else ""
        entropy = f"entropy={self.entropy:.3g}, legal_mass={self.legal_mass:.4g}"
        return f"DimensionDistribution({self.name}={shown}, {about}{entropy}, levels={len(self.values)})"

    @property
    def word(self) -> str | None:
        """The word that was decoded; None for a number."""
        return self.words[self.chosen] if self.words else None

    @property
    def mode(self) -> float:
        """The most probable value."""
        return float(self.values[self.probabilities.argmax()])

    @property
    def mean(self) -> float:
        """The expected value."""
        return float(self.values @ self.probabilities)

    @property
    def sample(self) -> float:
        """The value that was decoded: the mode, or one drawn by chance at a temperature above 0."""
        return float(self.values[self.chosen])

    @property
    def log_probability(self) -> float:
        """Of the decoded value, in nats."""
        return float(np.log(max(self.probabilities[self.chosen], 1e-300)))

    @property
    def entropy(self) -> float:
        """In nats; 0 when only one value is possible."""
        p = self.probabilities[self.probabilities > 0]
        return float(-(p * np.log(p)).sum())


@dataclass(frozen=True)
class ActionResult:
    """An action and what is known about it.

    Attributes:
        action: float32 [A], finite and inside the limits.
        dimensions: one per number.
        chunk: float32 [n, A], the prediction that the action comes from, and what would follow.
        position: place of the action in it.
        abstained: whether the legal mass is below the agent's `abstain_below`: do not trust this action.
        milliseconds: time of each stage of this call, and "total". Rows that were planned together share it.
    """

    action: np.ndarray
    dimensions: tuple[DimensionDistribution, ...]
    chunk: np.ndarray
    position: int
    abstained: bool
    milliseconds: Mapping[str, float]

    @property
    def log_probability(self) -> float:
        """Of the decoded action, in nats."""
        return sum(d.log_probability for d in self.dimensions)

    @property
    def entropy(self) -> float:
        """Sum over the dimensions, in nats."""
        return sum(d.entropy for d in self.dimensions)

    @property
    def legal_mass(self) -> float:
        """The smallest legal mass of a dimension: a sign of inputs unlike those of training when it is low."""
        return min(d.legal_mass for d in self.dimensions)


@dataclass(frozen=True)
class Judgement:
    """What the policy thinks of an action that somebody proposes.

    Attributes:
        dimensions: for each number of the action, or of all actions of a chunk in order, the distribution that the
            policy has for it after the numbers before it; `sample` is the level nearest to the proposed number.
        threshold: of the verdict.
    """

    dimensions: tuple[DimensionDistribution, ...]
    threshold: float

    @property
    def log_probability(self) -> float:
        """Of the action among all that the robot can do, in nats."""
        return sum(dimension.log_probability for dimension in self.dimensions)

    @property
    def probability(self) -> float:
        """Of the action among all that the robot can do; small even for good ones, as there are many levels."""
        return float(np.exp(self.log_probability))

    @property
    def typicality(self) -> float:
        """How usual the most unusual number is: the probability of all levels that are no more probable, 0 to 1.

        It is 1 for what the policy would do itself, and does not depend on how many levels there are.
        """
        return min(_typicality(dimension) for dimension in self.dimensions)

    @property
    def accepted(self) -> bool:
        """Whether the policy could have done this itself: `typicality` is at least `threshold`."""
        return self.typicality >= self.threshold


def _typicality(dimension: DimensionDistribution) -> float:
    p = dimension.probabilities
    return float(min(1.0, p[p <= p[dimension.chosen] * (1 + 1e-9)].sum()))

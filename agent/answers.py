"""Results of an agent besides actions: distributions, confidence, times, and judgements of proposed actions.

`RemoteAgent` returns these too, so this file needs only NumPy and runs on Python 3.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, repr=False)
class DimensionDistribution:
    """The network's distribution over the levels of one action dimension.

    Attributes:
        name: of the dimension.
        values: [n] the values of the levels, from low to high.
        probabilities: [n] of the levels, with guidance, normalised over the legal ones.
        chosen: index of the decoded level.
        legal_mass: total probability of the legal levels before masking; near 1 for inputs like those of training, and
            0 where the network's outputs were not finite.
        words: [n] the words of the levels; empty for a dimension of numbers.
    """

    name: str
    values: np.ndarray
    probabilities: np.ndarray
    chosen: int
    legal_mass: float
    words: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """A summary without the arrays."""
        shown = repr(self.word) if self.words else f"{self.sample:.4g}"
        about = f"mean={self.mean:.4g}, " if not self.words else ""
        entropy = f"entropy={self.entropy:.3g}, legal_mass={self.legal_mass:.4g}"
        return f"DimensionDistribution({self.name}={shown}, {about}{entropy}, levels={len(self.values)})"

    @property
    def word(self) -> str | None:
        """The decoded word; None for a number."""
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
        """The decoded value: the mode, or a sample at a temperature above 0."""
        return float(self.values[self.chosen])

    @property
    def log_probability(self) -> float:
        """Log-probability of the decoded value, in nats."""
        return float(np.log(max(self.probabilities[self.chosen], 1e-300)))

    @property
    def entropy(self) -> float:
        """Entropy in nats; 0 when only one value is possible."""
        p = self.probabilities[self.probabilities > 0]
        return float(-(p * np.log(p)).sum())


@dataclass(frozen=True)
class ActionResult:
    """An action and what is known about it.

    Attributes:
        action: float32 [A], finite and inside the limits.
        dimensions: one per action dimension.
        chunk: float32 [n, A], the predicted chunk that the action comes from.
        position: index of the action in the chunk.
        abstained: whether the legal mass is below the agent's `abstain_below`, or the policy answered that what is
            asked for cannot be done: do not play this action.
        milliseconds: time of each stage of this call, and "total"; shared by rows planned together.
        able: probability that what is asked for can be done; 1 for a policy that was not trained to say so.
    """

    action: np.ndarray
    dimensions: tuple[DimensionDistribution, ...]
    chunk: np.ndarray
    position: int
    abstained: bool
    milliseconds: Mapping[str, float]
    able: float = 1.0

    @property
    def log_probability(self) -> float:
        """Log-probability of the decoded action, in nats."""
        return sum(d.log_probability for d in self.dimensions)

    @property
    def entropy(self) -> float:
        """Sum of the entropies of the dimensions, in nats."""
        return sum(d.entropy for d in self.dimensions)

    @property
    def legal_mass(self) -> float:
        """The smallest legal mass of a dimension; a low value suggests inputs unlike those of training."""
        return min(d.legal_mass for d in self.dimensions)


@dataclass(frozen=True)
class Judgement:
    """The policy's judgement of a proposed action.

    Attributes:
        dimensions: for each number of the action, or of all actions of a chunk in order, the policy's distribution
            conditioned on the numbers before it; `sample` is the level nearest to the proposed number.
        threshold: smallest typicality of an accepted action.
    """

    dimensions: tuple[DimensionDistribution, ...]
    threshold: float

    @property
    def log_probability(self) -> float:
        """Log-probability of the action among all legal ones, in nats."""
        return sum(dimension.log_probability for dimension in self.dimensions)

    @property
    def probability(self) -> float:
        """Probability of the action among all legal ones; small even for good ones, as there are many levels."""
        return float(np.exp(self.log_probability))

    @property
    def typicality(self) -> float:
        """The smallest p-value of a number: the total probability of all levels no more probable than it, 0 to 1.

        It is 1 for the policy's own greedy action, and does not depend on the number of levels.
        """
        return min(_typicality(dimension) for dimension in self.dimensions)

    @property
    def accepted(self) -> bool:
        """Whether `typicality` is at least `threshold`."""
        return self.typicality >= self.threshold


def _typicality(dimension: DimensionDistribution) -> float:
    p = dimension.probabilities
    return float(min(1.0, p[p <= p[dimension.chosen] * (1 + 1e-9)].sum()))

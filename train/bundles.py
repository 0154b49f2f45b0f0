"""Bundles: the agent or network in a run's checkpoint, besides the state of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from embodio.agent.checkpoint import VOCABULARY, write_checkpoint_files
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.robot_formats import RobotFormats
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import write_sums
from embodio.model.weights.weights import save_weights
from embodio.model.writing import write_bytes
from embodio.train.objective import Network_contra


class Bundle(Protocol[Network_contra]):
    """Writes the part of a checkpoint that is read outside training."""

    def write(self, folder: Path, model: Network_contra, /) -> None:
        """Writes the files and their checksums into an existing folder, to which the run then adds its own."""


@dataclass(frozen=True)
class AgentBundle:
    """An agent that `Agent.load` reads.

    Attributes:
        robots: the formats of its robots.
    """

    robots: RobotFormats

    @property
    def policy_format(self) -> PolicyFormat:
        """The format of the robot; of several, the default or the first."""
        return self.robots[self.robots.default or next(iter(self.robots))]

    def write(self, folder: Path, model: UnifiedIO2) -> None:
        """Writes the files of an agent."""
        write_checkpoint_files(folder, model, self.robots)


class HasNetwork(Protocol):
    """A model that is trained around a network, such as one with heads that read it."""

    @property
    def network(self) -> UnifiedIO2:
        """The network, which is used later."""


@dataclass(frozen=True)
class NetworkBundle:
    """A network that `embodio.model.load` and `init=` read.

    Attributes:
        vocabulary: names the rows of its text table.
    """

    vocabulary: Vocabulary

    def write(self, folder: Path, model: UnifiedIO2) -> None:
        """Writes weights, config and vocabulary."""
        save_weights(model, folder)
        write_bytes(folder / VOCABULARY, self.vocabulary.to_bytes())
        write_sums(folder, (VOCABULARY,))


@dataclass(frozen=True)
class InnerNetworkBundle:
    """The network alone of a model around one, for `init=` of the next stage.

    Attributes:
        vocabulary: names the rows of its text table.
    """

    vocabulary: Vocabulary

    def write(self, folder: Path, model: HasNetwork) -> None:
        """Writes weights, config, vocabulary and checksums."""
        NetworkBundle(self.vocabulary).write(folder, model.network)

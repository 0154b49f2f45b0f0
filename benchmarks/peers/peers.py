"""The peers: policies of LeRobot, with its own settings and with some that suit minutes on one core better."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from embodio.benchmarks.errors import PeerError
from embodio.benchmarks.peers.peer_policy import is_peer
from embodio.benchmarks.peers.program import PeerProgram
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.opening import open_source
from embodio.train.checkpoints.kept import STATE, read_state


@dataclass(frozen=True)
class Peer:
    """How a policy of LeRobot is trained.

    Attributes:
        policy: LeRobot's name of it.
        options: fields of its config that differ from LeRobot's defaults.
        schedule: of the learning rate: "own" is that of the policy, "time" a warm-up and a cosine over the minutes.
        batch_size: examples of a step; LeRobot's default is 8.
    """

    policy: str
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: Literal["own", "time"] = "own"
    batch_size: int = 8


_FRESH = {"pretrained_backbone_weights": None}  # the usual ones would have to be downloaded
_FAST = {"noise_scheduler_type": "DDIM", "num_inference_steps": 10}  # the usual 100 steps take seconds on one core
_SHORT = {"chunk_size": 16, "n_action_steps": 8}
_RATES = {"optimizer_lr": 1e-4, "optimizer_lr_backbone": 1e-4}
PEERS = {
    "act": Peer("act", _FRESH),
    "act_fitted": Peer("act", _FRESH | _SHORT | _RATES, "time"),
    "diffusion": Peer("diffusion", _FRESH | _FAST),
    "diffusion_fitted": Peer(
        "diffusion", _FRESH | _FAST | {"down_dims": [128, 256, 512], "optimizer_lr": 3e-4}, "time"
    ),
}
"""Name -> settings. Those called fitted learn in minutes what the defaults are made to learn in 100 000 steps."""


@dataclass(frozen=True)
class TrainedOn:
    """What an agent of ours was trained on, for the peers to be trained on.

    Attributes:
        data: the data set.
        held_out: episodes at its end that were kept for validation.
        action: the field that was imitated.
        cameras: those that the agent sees.
    """

    data: str
    held_out: int
    action: str
    cameras: tuple[str, ...]

    @classmethod
    def of(cls, checkpoint: Path) -> TrainedOn:
        """Those of a checkpoint.

        Raises:
            PeerError: it was trained on several data sets, or is not a checkpoint of embodio-train.
            ResumeError: its training.json is missing or damaged.
        """
        config = read_state(checkpoint / STATE)["config"]
        try:
            found = cls(config["data"], config["holdout"], config["action_key"], tuple(config["policy"]["cameras"]))
        except (KeyError, TypeError) as error:
            raise PeerError(f"{checkpoint} was not trained on demonstrations (no {error}); name a policy") from error
        if not found.data or config.get("sources"):
            raise PeerError(f"{checkpoint} was trained on several data sets; name a policy that was trained on one")
        return found

    def exported(self, folder: Path) -> int:
        """Writes them as a LeRobot data set unless they are there; returns the number of episodes to train on."""
        source = open_source(self.data)
        if not folder.exists():
            convert(source, folder, ConversionSettings("lerobot", images="png"))
        return len(source) - self.held_out


def train_peer(
    name: str, shown: TrainedOn, minutes: float, folder: Path, report: Callable[[Mapping[str, Any]], None]
) -> Path:
    """Trains a peer unless it is trained already.

    Args:
        name: of `PEERS`.
        shown: what it learns from.
        minutes: of processor time on one thread, which is wall-clock time on a free core.
        folder: for the exported data, and for a folder of its own.
        report: called with "step", "minutes" and "loss" now and then.

    Returns:
        The folder of the trained policy, which `PeerPolicy` plays.

    Raises:
        PeerError: no Python has LeRobot, or LeRobot's side fails.
        DatasetError: the data cannot be read or exported.
    """
    out = folder / name / "checkpoint"
    if is_peer(out):
        return out
    program = PeerProgram("train")
    try:
        data = folder / "demonstrations"
        episodes = shown.exported(data)
        given = {"data": str(data.absolute()), "episodes": episodes, "action": shown.action, "out": str(out.absolute())}
        request = asdict(PEERS[name]) | given | {"cameras": shown.cameras, "minutes": minutes, "seed": 0}
        program.send(json.dumps(request).encode() + b"\n")
        while "written" not in (answer := program.answer()):
            report(answer)
    finally:
        program.close()
    return out

"""Two robots that have nothing in common but the network: the toy arm, and a cart."""

from __future__ import annotations

import dataclasses

import torch

from embodio.agent import PolicyConfig, PolicyFormat, RobotFormats
from embodio.agent.policy_network import policy_network_config
from embodio.envs.embodiment import Camera, Dimension, Embodiment
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.policies import make_embodiment, make_format, make_statistics


def cart() -> Embodiment:
    """Another robot than the toy: one camera of another size, another state, five action dimensions."""
    toy = make_embodiment()
    dimensions = tuple(Dimension(f"wheel_{place}", "rad/s", -2.0, 3.0 + place) for place in range(5))
    return dataclasses.replace(
        toy,
        name="toys/cart",
        action=dataclasses.replace(toy.action, dimensions=dimensions, mode="absolute"),
        state=tuple(Dimension(name, "m", -1.0, 1.0) for name in ("x", "y", "z")),
        cameras=(Camera("top", 96, 160),),
        control_hz=5.0,
    )


def cart_format(**changes: object) -> PolicyFormat:
    """How the cart is read and written: other bins, another chunk, and a history."""
    settings = {"cameras": ("top",), "chunk": 2, "action_bins": 51, "history_frames": 1} | changes
    return PolicyFormat(PolicyConfig(**settings), cart(), make_statistics(cart()), Vocabulary.default())  # type: ignore[arg-type]


def arm_and_cart(default: str = "") -> RobotFormats:
    """Both by name."""
    return RobotFormats({"arm": make_format(chunk=3), "cart": cart_format()}, default)


def network_of(robots: RobotFormats) -> UnifiedIO2:
    """A nano network with random weights for all of them."""
    torch.manual_seed(0)
    return UnifiedIO2(policy_network_config("nano", *robots.values())).eval()

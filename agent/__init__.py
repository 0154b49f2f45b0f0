"""The agent: maps observations to actions with `Agent.load`, `agent.reset` and `agent.act`.

The path of an observation through `act`, file by file:

    agent        `Agent`: the public API, rows, checks        options       how to act, beyond the checkpoint
    observation  checks of inputs; `sound`, `arrays`          instruction   words, images and sounds of `reset`
    session      `Session`: the state of one episode          policy_config, policy_format   format of inputs, outputs
    runtime      `Runtime`: plans for many sessions           embedding     encoder inputs, with cached frames
    constrained  `ConstrainedDecoder`: legal choices only     answer_reader, word_tree (in model)   decoder steps
    grammar      legal answers                                action_text, codec   actions <-> text <-> levels
    result       distributions of a plan; `answers`           ensemble      averages several plans for one step

Further modules: `checkpoint` (the folder), `robot_formats` and `robot_files` (the robots of one network), `released`
(public weights as agents), `precision` (int8 and the like), `beyond_acting` and `imagined_goals` (the other verbs),
`contract` (`check_agent`), `serving` and `client` (the same over a network).

Names are imported when first used, so `embodio.agent.client` can be imported without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embodio.agent.agent import Agent
    from embodio.agent.answers import ActionResult, DimensionDistribution, Judgement
    from embodio.agent.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_checkpoints
    from embodio.agent.contract import ContractError, check_agent
    from embodio.agent.errors import (
        Abstained,
        ActionError,
        AgentError,
        CannotDo,
        CheckpointError,
        Declined,
        NotReset,
        ObservationError,
        PrecisionError,
    )
    from embodio.agent.format.codec import ActionCodec
    from embodio.agent.format.policy_config import PolicyConfig
    from embodio.agent.format.policy_format import PolicyFormat
    from embodio.agent.format.robot_formats import RobotFormats
    from embodio.agent.imagined_goals import ImaginedGoals
    from embodio.agent.options import AgentOptions
    from embodio.agent.planning.constrained import decode_legal
    from embodio.agent.planning.session import Session

_HOMES = {
    "Abstained": "errors",
    "ActionCodec": "format.codec",
    "ActionError": "errors",
    "ActionResult": "answers",
    "Agent": "agent",
    "AgentError": "errors",
    "AgentOptions": "options",
    "CannotDo": "errors",
    "Checkpoint": "checkpoint",
    "CheckpointError": "errors",
    "ContractError": "contract",
    "Declined": "errors",
    "DimensionDistribution": "answers",
    "ImaginedGoals": "imagined_goals",
    "Judgement": "answers",
    "NotReset": "errors",
    "ObservationError": "errors",
    "PolicyConfig": "format.policy_config",
    "PolicyFormat": "format.policy_format",
    "PrecisionError": "errors",
    "RobotFormats": "format.robot_formats",
    "Session": "planning.session",
    "check_agent": "contract",
    "decode_legal": "planning.constrained",
    "load_checkpoint": "checkpoint",
    "save_checkpoint": "checkpoint",
    "shipped_checkpoints": "checkpoint",
}

__all__ = [
    "Abstained",
    "ActionCodec",
    "ActionError",
    "ActionResult",
    "Agent",
    "AgentError",
    "AgentOptions",
    "CannotDo",
    "Checkpoint",
    "CheckpointError",
    "ContractError",
    "Declined",
    "DimensionDistribution",
    "ImaginedGoals",
    "Judgement",
    "NotReset",
    "ObservationError",
    "PolicyConfig",
    "PolicyFormat",
    "PrecisionError",
    "RobotFormats",
    "Session",
    "check_agent",
    "decode_legal",
    "load_checkpoint",
    "save_checkpoint",
    "shipped_checkpoints",
]


def __getattr__(name: str) -> Any:
    """Loads a public name from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'embodio.agent' has no attribute {name!r}")
    return getattr(import_module(f"embodio.agent.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""The agent: observation in, action out; `Agent.load`, `agent.reset`, `agent.act`.

What is named here is loaded when it is first used, so `embodio.agent.client` can be imported where there is no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embodio.agent.agent import Agent
    from embodio.agent.answers import ActionResult, DimensionDistribution, Judgement
    from embodio.agent.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_checkpoints
    from embodio.agent.codec import ActionCodec
    from embodio.agent.constrained import decode_legal
    from embodio.agent.contract import ContractError, check_agent
    from embodio.agent.errors import (
        Abstained,
        ActionError,
        AgentError,
        CannotDo,
        CheckpointError,
        NotReset,
        ObservationError,
        PrecisionError,
    )
    from embodio.agent.imagined_goals import ImaginedGoals
    from embodio.agent.options import AgentOptions
    from embodio.agent.policy_config import PolicyConfig
    from embodio.agent.policy_format import PolicyFormat
    from embodio.agent.session import Session

_HOMES = {
    "Abstained": "errors",
    "ActionCodec": "codec",
    "ActionError": "errors",
    "ActionResult": "answers",
    "Agent": "agent",
    "AgentError": "errors",
    "AgentOptions": "options",
    "CannotDo": "errors",
    "Checkpoint": "checkpoint",
    "CheckpointError": "errors",
    "ContractError": "contract",
    "DimensionDistribution": "answers",
    "ImaginedGoals": "imagined_goals",
    "Judgement": "answers",
    "NotReset": "errors",
    "ObservationError": "errors",
    "PolicyConfig": "policy_config",
    "PolicyFormat": "policy_format",
    "PrecisionError": "errors",
    "Session": "session",
    "check_agent": "contract",
    "decode_legal": "constrained",
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
    "DimensionDistribution",
    "ImaginedGoals",
    "Judgement",
    "NotReset",
    "ObservationError",
    "PolicyConfig",
    "PolicyFormat",
    "PrecisionError",
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

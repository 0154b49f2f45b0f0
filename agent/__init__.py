"""The agent: observation in, action out; `Agent.load`, `agent.reset`, `agent.act`."""

from embodio.agent.agent import Agent
from embodio.agent.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_checkpoints
from embodio.agent.codec import ActionCodec
from embodio.agent.constrained import decode_legal
from embodio.agent.contract import ContractError, check_agent
from embodio.agent.errors import (
    Abstained,
    ActionError,
    AgentError,
    CheckpointError,
    NotReset,
    ObservationError,
    PrecisionError,
)
from embodio.agent.options import AgentOptions
from embodio.agent.policy_format import PolicyConfig, PolicyFormat
from embodio.agent.result import ActionResult, DimensionDistribution
from embodio.agent.session import Session

__all__ = [
    "Abstained",
    "ActionCodec",
    "ActionError",
    "ActionResult",
    "Agent",
    "AgentError",
    "AgentOptions",
    "Checkpoint",
    "CheckpointError",
    "ContractError",
    "DimensionDistribution",
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

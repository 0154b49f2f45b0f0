"""The agent: observation in, action out; `Agent.load`, `agent.reset`, `agent.act`."""

from embodio.agent.agent import Agent
from embodio.agent.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_checkpoints
from embodio.agent.codec import ActionCodec
from embodio.agent.constrained import decode_legal
from embodio.agent.errors import ActionError, AgentError, CheckpointError, NotReset, ObservationError
from embodio.agent.policy_format import PolicyConfig, PolicyFormat

__all__ = [
    "ActionCodec",
    "ActionError",
    "Agent",
    "AgentError",
    "Checkpoint",
    "CheckpointError",
    "NotReset",
    "ObservationError",
    "PolicyConfig",
    "PolicyFormat",
    "decode_legal",
    "load_checkpoint",
    "save_checkpoint",
    "shipped_checkpoints",
]

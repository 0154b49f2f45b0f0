"""The agent on another machine: `RemoteAgent(url)` has the verbs of `Agent` and needs no torch.

This folder, `agent/answers.py` and `agent/errors.py` run on Python 3.8 and newer with numpy, msgpack and websockets
(13 or newer). `pip install ./scripts/client` in a checkout installs them alone, where embodio itself cannot be.
"""

from embodio.agent.client.errors import (
    ConnectionLost,
    DeadlineExceeded,
    EmbodimentRefused,
    MessageError,
    MessageTooLarge,
    Overloaded,
    PolicyFailed,
    ProtocolMismatch,
    RemoteError,
    ServerStopping,
    ServerUnreachable,
    Unauthorised,
)
from embodio.agent.client.remote import RemoteAgent, Timing

__all__ = [
    "ConnectionLost",
    "DeadlineExceeded",
    "EmbodimentRefused",
    "MessageError",
    "MessageTooLarge",
    "Overloaded",
    "PolicyFailed",
    "ProtocolMismatch",
    "RemoteAgent",
    "RemoteError",
    "ServerStopping",
    "ServerUnreachable",
    "Timing",
    "Unauthorised",
]

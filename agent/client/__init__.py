"""The agent on another machine: `RemoteAgent(url)` has the verbs of `Agent` and needs no torch.

This folder and `agent/errors.py` are all that a robot or an old simulator needs: they run on Python 3.8 and newer with
numpy, msgpack and websockets (13 or newer). They can be copied alone, keeping their place below a folder on the path:

    embodio/agent/errors.py
    embodio/agent/client/
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

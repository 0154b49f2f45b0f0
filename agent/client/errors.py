"""Errors of the connection to a served agent, and their reconstruction from names in messages."""

from __future__ import annotations

import sys

from embodio.agent import errors as agent_errors
from embodio.agent.errors import AgentError, ObservationError


class RemoteError(AgentError):
    """Base of all errors of the connection between `RemoteAgent` and its server."""


class ServerUnreachable(RemoteError):
    """No server answers at the address, or it is not an agent server."""


class ConnectionLost(RemoteError):
    """The connection broke and the episode is lost; `reset` starts a new one."""


class Unauthorised(RemoteError):
    """The token is missing or wrong."""


class ProtocolMismatch(RemoteError):
    """Client and server speak different versions of the protocol."""


class EmbodimentRefused(RemoteError):
    """The served policy was made for another robot; raised if `embodio.envs` and its error are not loaded."""


class MessageError(RemoteError, ValueError):
    """A message is malformed, or holds something that cannot be sent."""


class WrongArgument(MessageError, ObservationError):
    """An argument of a verb has the wrong type; also an ObservationError, as for a local agent."""


class MessageTooLarge(MessageError):
    """A message is larger than the server's limit."""


class DeadlineExceeded(RemoteError):
    """The answer, or the rest of a message, did not arrive in time."""


class Overloaded(RemoteError):
    """The server has reached its limit of clients or waiting requests."""


class ServerStopping(RemoteError):
    """The server is shutting down and accepts no new requests."""


class PolicyFailed(RemoteError):
    """The policy failed while computing a request; the server's log has the details."""


_ELSEWHERE = {
    "EmbodimentMismatch": "embodio.envs.errors",
    "EmbodimentError": "embodio.envs.errors",
    "TaskError": "embodio.model.tasks.errors",
}
"""Reported errors of other packages, and their modules, which may be missing here."""


def error_named(name: str, message: str) -> Exception:
    """Reconstructs the error that a server reported.

    Args:
        name: name of its class, in this module, in `embodio.agent.errors`, or in `_ELSEWHERE`.
        message: its message.

    Returns:
        An error of that class; EmbodimentRefused or RemoteError if the class is not loaded or unknown.
    """
    if name in _ELSEWHERE:
        home = sys.modules.get(_ELSEWHERE[name])
        if home is not None:
            found: Exception = getattr(home, name)(message)
            return found
        return EmbodimentRefused(message) if name.startswith("Embodiment") else RemoteError(f"{name}: {message}")
    for kind in (globals().get(name), getattr(agent_errors, name, None)):
        if isinstance(kind, type) and issubclass(kind, AgentError):
            return kind(message)
    return RemoteError(f"{name}: {message}")

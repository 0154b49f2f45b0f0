"""Errors between a robot and a served agent, and how their names on the wire become errors again."""

from __future__ import annotations

import sys

from embodio.agent import errors as agent_errors
from embodio.agent.errors import AgentError, ObservationError


class RemoteError(AgentError):
    """Base of all errors of the connection between `RemoteAgent` and its server."""


class ServerUnreachable(RemoteError):
    """No server answers at the address, or what answers is not a server of agents."""


class ConnectionLost(RemoteError):
    """The connection broke and the episode with it; `reset` starts a new one."""


class Unauthorised(RemoteError):
    """The server wants a token, or another one than was given."""


class ProtocolMismatch(RemoteError):
    """Client and server speak different versions of the protocol."""


class EmbodimentRefused(RemoteError):
    """The served policy was made for another robot; raised where `embodio.envs` and its error are not loaded."""


class MessageError(RemoteError, ValueError):
    """A message is malformed, or holds something that cannot be sent."""


class WrongArgument(MessageError, ObservationError):
    """An argument of a verb is of a type that no agent takes; at home, this is an ObservationError as well."""


class MessageTooLarge(MessageError):
    """A message has more bytes than the server takes."""


class DeadlineExceeded(RemoteError):
    """The answer, or the rest of a message, did not come in time."""


class Overloaded(RemoteError):
    """The server has as many clients or waiting requests as it takes."""


class ServerStopping(RemoteError):
    """The server is shutting down and takes no new requests."""


class PolicyFailed(RemoteError):
    """The policy broke down while it worked on a request; the server's log says where."""


_ELSEWHERE = {
    "EmbodimentMismatch": "embodio.envs.errors",
    "EmbodimentError": "embodio.envs.errors",
    "TaskError": "embodio.model.tasks.errors",
}
"""Errors of other rooms that a server reports, and their modules, which may be missing here."""


def error_named(name: str, message: str) -> Exception:
    """The error that a server reported.

    Args:
        name: name of its class, here, in `embodio.agent.errors`, or one of a few of other rooms.
        message: what it says.

    Returns:
        An error of that class; EmbodimentRefused or RemoteError where it is not loaded or not known.
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

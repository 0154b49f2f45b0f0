"""The robot of a served policy, as an Embodiment where `embodio.envs` is installed."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from embodio.agent.client.errors import MessageError


class RobotView(SimpleNamespace):
    """An embodiment without `embodio.envs`: the same fields, unchecked."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `Embodiment.to_dict` gives them."""
        return {name: _plain(value) for name, value in vars(self).items()}


def robot_from(data: dict[str, Any]) -> Any:
    """The embodiment that a server describes.

    Args:
        data: as `Embodiment.to_dict` gives it.

    Returns:
        An `embodio.envs.Embodiment`; a RobotView with the same fields where that is not installed.
    """
    if sys.version_info >= (3, 11):  # noqa: UP036  (a copy of this file runs on Python 3.8)
        try:
            from embodio.envs.embodiment import Embodiment
        except ImportError:
            return _view(data)
        return Embodiment.from_dict(data)
    return _view(data)


def robot_to(embodiment: Any) -> Any:
    """An embodiment as plain values, from an Embodiment, a RobotView or the result of `Embodiment.to_dict`.

    Raises:
        MessageError: if it is anything else.
    """
    if embodiment is None or isinstance(embodiment, dict):
        return embodiment
    if not hasattr(embodiment, "to_dict"):
        raise MessageError(f"embodiment: expected an Embodiment or its to_dict(), got {type(embodiment).__name__}")
    return embodiment.to_dict()


def _view(value: Any) -> Any:
    if isinstance(value, dict):
        return RobotView(**{name: _view(item) for name, item in value.items()})
    return tuple(_view(item) for item in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, RobotView):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value

"""The verbs of a served agent: those of `Agent`, with the types of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodio.agent.client.errors import MessageError, WrongArgument

_NONE = type(None)
_NUMBER = (float, int)
_OBSERVATION = (dict, _NONE)

VERBS: dict[str, dict[str, tuple[type, ...]]] = {
    "reset": {"instruction": (object,), "seed": (int, list, _NONE), "rows": (np.ndarray, _NONE)},
    "act": {"observation": (dict,)},
    "decide": {"observation": (dict,)},
    "plan": {"observation": (dict,)},
    "describe": {"frames": (np.ndarray, list, tuple, _NONE), "row": (int,)},
    "ask": {"question": (str,), "observation": _OBSERVATION, "answers": (list, _NONE), "row": (int,)},
    "imagine": {
        "instruction": (str, _NONE),
        "observation": _OBSERVATION,
        "seed": (int,),
        "guidance": _NUMBER,
        "row": (int,),
    },
    "judge": {"action": (np.ndarray,), "observation": _OBSERVATION, "threshold": _NUMBER, "row": (int,)},
    "check_embodiment": {"embodiment": (dict,)},
    "latency": {},
    "warmup": {"rows": (int,)},
}
"""Verb -> argument -> its types. All arguments are required."""


def check_arguments(verb: str, arguments: dict[str, Any]) -> None:
    """Raises MessageError for an unknown verb or wrong argument names; WrongArgument for a wrong type."""
    if verb not in VERBS:
        raise MessageError(f"{verb}: no such verb; there are {', '.join(VERBS)}; client and server may differ")
    wanted = VERBS[verb]
    if set(arguments) != set(wanted):
        raise MessageError(f"{verb}: got the arguments {sorted(map(str, arguments))}, expected {sorted(wanted)}")
    for name, kinds in wanted.items():
        value = arguments[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and object not in kinds):
            expected = " or ".join(kind.__name__ for kind in kinds)
            raise WrongArgument(f"{verb}.{name}: expected {expected}, got {type(value).__name__}")

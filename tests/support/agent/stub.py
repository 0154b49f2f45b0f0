"""A policy whose actions say which episode it is and how far that has come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from embodio.agent.errors import AgentError, CannotDo, NotReset, ObservationError
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

PATIENCE = 60.0
"""Seconds to wait for what must happen; a machine that does other things takes its time."""


def make_embodiment(name: str = "stub") -> Embodiment:
    action = ActionSpec((Dimension("x", "m", -1.0, 1.0),), "delta", "base", "none", "none", "test")
    return Embodiment(name, action, (), (Camera("front", 128, 128),), None, 10.0)


class StubPolicy:
    """Gives [number in the instruction, step]; "sleep" in an observation takes so long, "break" breaks.

    Its descriptions are long.
    """

    def __init__(self) -> None:
        self.embodiment = make_embodiment()
        self.info: dict[str, Any] = {"folder": "stub"}
        self.observation_keys = ["front", "never there"]  # so that clients send all that there is

    def check_embodiment(self, embodiment: Embodiment) -> None:
        self.embodiment.require_same(embodiment, "use the stub's")

    def open(self) -> dict[str, Any]:
        return {"told": None, "step": 0}

    def call(self, state: dict[str, Any], verb: str, arguments: dict[str, Any]) -> Any:
        if verb == "check_embodiment":
            self.check_embodiment(**arguments)
        elif verb == "reset":
            told = arguments["instruction"]
            state.update(told=state["told"] if told is None else float(told), step=0)
        elif verb == "describe":
            return np.zeros(900_000, np.uint8)
        else:
            raise CannotDo(f"{verb}: a stub cannot")
        return None

    def instruct(self, state: dict[str, Any], instruction: str) -> None:
        if not instruction.isdigit():
            raise ObservationError("instruction: the stub wants a number")
        self.call(state, "reset", {"instruction": instruction})

    def act(self, states: Sequence[Any], observations: Sequence[Any]) -> list[np.ndarray | AgentError]:
        answers: list[np.ndarray | AgentError] = []
        for state, observation in zip(states, observations, strict=True):
            if "sleep" in observation:
                time.sleep(float(observation["sleep"]))
            if "break" in observation:
                raise RuntimeError("planted")
            if state["told"] is None:
                answers.append(NotReset("act: call reset first"))
            elif "front" not in observation:
                answers.append(ObservationError("front: missing"))
            else:
                answers.append(np.array([state["told"], state["step"]], np.float32))
                state["step"] += 1
        return answers

"""A small stand-in for `pybullet`: worlds by client, and calls that name no client going to the first one."""

# ruff: noqa: N803 (arguments as pybullet spells them)
from __future__ import annotations

import os
import types
from typing import Any

DIRECT = 2


class PhysicsError(Exception):
    """As `pybullet.error`."""


class _World:
    def __init__(self) -> None:
        self.colours: dict[int, float] = {}  # body -> alpha
        self.constraints: dict[int, tuple[int, int]] = {}
        self.steps = 0


def fake_pybullet() -> types.ModuleType:
    """The module, to be put into `sys.modules` as "pybullet"."""
    worlds: dict[int, _World] = {}
    numbers = iter(range(1_000_000))

    def world(client: int) -> _World:
        if client not in worlds:
            raise PhysicsError("Not connected to physics server.")
        return worlds[client]

    def connect(method: int) -> int:
        client = next(number for number in range(1024) if number not in worlds)
        worlds[client] = _World()
        return client

    def disconnect(physicsClientId: int = 0) -> None:
        world(physicsClientId)
        del worlds[physicsClientId]

    def reset_simulation(physicsClientId: int = 0) -> None:
        world(physicsClientId)
        worlds[physicsClientId] = _World()

    def load_urdf(path: str, physicsClientId: int = 0) -> int:
        os.write(1, b"b3Warning: No inertial data for link\n")
        colours = world(physicsClientId).colours
        colours[len(colours)] = 1.0
        return len(colours) - 1

    def change_visual_shape(body: int, link: int, rgbaColor: Any, physicsClientId: int = 0) -> None:
        world(physicsClientId).colours[body] = rgbaColor[3]

    def visual_shape_data(body: int, physicsClientId: int = 0) -> list[tuple[Any, ...]]:
        return [(body, -1, 0, 0, 0, 0, 0, (1, 1, 1, world(physicsClientId).colours[body]))]

    def create_constraint(parent: int, child: int, physicsClientId: int = 0) -> int:
        number = next(numbers)
        world(physicsClientId).constraints[number] = (parent, child)
        return number

    def remove_constraint(number: int, physicsClientId: int = 0) -> None:
        del world(physicsClientId).constraints[number]

    def constraints(physicsClientId: int = 0) -> list[int]:
        return list(world(physicsClientId).constraints)

    def step_simulation(physicsClientId: int = 0) -> None:
        world(physicsClientId).steps += 1

    def load_texture(path: str, client: int) -> int:
        world(client)
        return 0

    module = types.ModuleType("pybullet")
    module.__dict__.update(
        DIRECT=DIRECT,
        error=PhysicsError,
        worlds=worlds,
        connect=connect,
        disconnect=disconnect,
        resetSimulation=reset_simulation,
        loadURDF=load_urdf,
        loadTexture=load_texture,
        changeVisualShape=change_visual_shape,
        getVisualShapeData=visual_shape_data,
        createConstraint=create_constraint,
        removeConstraint=remove_constraint,
        getConstraints=constraints,
        stepSimulation=step_simulation,
    )
    return module

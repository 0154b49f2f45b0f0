"""Environments are found by name, and looking is free: no simulator is imported."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import pytest

import embodio.envs
from embodio.envs import UnknownEnv, embodiment_of, known_envs, make_env, make_expert
from embodio.envs.experts import LiftExpert

LOOK = """
import sys
import embodio.envs
embodio.envs.embodiment_of("robosuite/lift")
env = embodio.envs.make_env("robosuite/lift")
env.observation_space, env.action_space, env.embodiment
heavy = {"robosuite", "mujoco", "torch", "numba"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_import_and_description_start_no_simulator():
    result = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_lift_is_known_by_name():
    assert "robosuite/lift" in known_envs()


@pytest.mark.parametrize("call", [make_env, embodiment_of, lambda name: make_expert(name, None)])
def test_unknown_env_names_the_nearest(call):
    with pytest.raises(UnknownEnv, match=r"Did you mean 'robosuite/lift'\?"):
        call("robosuit/lfit")


def test_unknown_task_names_the_nearest():
    with pytest.raises(UnknownEnv, match="Did you mean 'lift'"):
        make_env("robosuite/lift", task="lit")


def test_embodiment_equals_that_of_the_env():
    assert embodiment_of("robosuite/lift") == make_env("robosuite/lift").embodiment


def test_gymnasium_makes_the_same_env():
    env = gymnasium.make("embodio/robosuite-lift-v0", cameras=False)
    assert env.unwrapped.embodiment == embodiment_of("robosuite/lift")
    assert isinstance(make_expert("robosuite/lift", env), LiftExpert)


def test_registering_twice_changes_nothing():
    before = gymnasium.registry["embodio/robosuite-lift-v0"]
    embodio.envs.register()
    assert gymnasium.registry["embodio/robosuite-lift-v0"] is before

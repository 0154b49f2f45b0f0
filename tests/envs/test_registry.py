"""Environments are found by name, and looking is free: no simulator is imported."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import pytest

import embodio.envs
from embodio.envs import EnvError, UnknownEnv, embodiment_of, known_envs, make_env, make_expert
from embodio.envs.registry import known_embodiments
from embodio.envs.robosuite.tasks.lift import LiftExpert

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


def test_known_embodiments_are_those_of_each_name():
    found = known_embodiments()
    assert tuple(found) == known_envs()
    for name in ("robosuite/lift", "robosuite/two_arm_lift/sawyer-joint_position", "vima/rotate/L2", "pusht/push_t"):
        assert found[name] == embodiment_of(name)


def test_gymnasium_makes_the_same_env():
    env = gymnasium.make("embodio/robosuite-lift-v0", cameras=False)
    assert env.unwrapped.embodiment == embodiment_of("robosuite/lift")
    assert isinstance(make_expert("robosuite/lift", env), LiftExpert)


def test_registering_twice_changes_nothing():
    before = gymnasium.registry["embodio/robosuite-lift-v0"]
    embodio.envs.register()
    assert gymnasium.registry["embodio/robosuite-lift-v0"] is before


OWN = """
import gymnasium
from gymnasium import spaces
from embodio.envs import embodiment_of

class Bare(gymnasium.Env):
    observation_space, action_space = spaces.Dict({}), spaces.Box(-1, 1)

class Whole(Bare):
    embodiment = embodiment_of("robosuite/lift")

    def __init__(self, horizon=5):
        self.horizon = horizon

class Spaceless(gymnasium.Env):
    pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_envs.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_envs"
    sys.modules.pop("own_envs", None)


def test_an_environment_of_ones_own_goes_by_module_and_class(own):
    assert make_env(f"{own}:Whole", horizon=3).horizon == 3
    assert embodiment_of(f"{own}:Whole") == embodiment_of("robosuite/lift")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("own_envs:Bare", "no `embodiment`"),
        ("own_envs:Other", "has no Other"),
        ("own_envs:Spaceless", "no observation_space"),
        ("nowhere:Env", "PYTHONPATH"),
    ],
)
def test_what_is_missing_of_an_own_environment_is_named(own, name, says):
    with pytest.raises(EnvError, match=says):
        make_env(name)


def test_an_own_environment_without_expert_or_with_other_arguments(own):
    with pytest.raises(EnvError, match=r"method `expert\(\)`"):
        make_expert(f"{own}:Whole", make_env(f"{own}:Whole"))
    with pytest.raises(EnvError, match="let its __init__ take them"):
        make_env(f"{own}:Whole", cameras=False)

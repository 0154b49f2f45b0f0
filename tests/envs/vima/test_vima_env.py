"""VIMA's benchmark as an environment, against a stand-in with the benchmark's own protocol."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodio.envs import (
    EnvError,
    InvalidAction,
    SimulatorError,
    UnknownEnv,
    embodiment_of,
    known_envs,
    make_env,
    make_expert,
    rollout,
)
from embodio.envs.interleaved_prompt import PromptSpace, interleave
from embodio.envs.vima.robot import from_action, to_actions, vima_pick_place
from embodio.envs.vima.tasks import TASKS
from tests.support.envs.fake_vima_bench import install

STAY = (0, 0.5, 0.0, 0.0, 0.5, 0.0, 0.0)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    yield install(monkeypatch)


def test_without_the_benchmark_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "vima_bench", raising=False)
    with pytest.raises(EnvError, match=r"git clone https://github\.com/vimalabs/VIMABench") as caught:
        make_env("vima/rotate")
    assert "\n" not in str(caught.value)
    assert embodiment_of("vima/rotate") == vima_pick_place()


def test_a_rollout_without_the_benchmark_ends_in_one_line(tmp_path) -> None:
    script = (
        "import sys; sys.modules['vima_bench'] = None\n"
        "from embodio.benchmarks.rollouts.rollout import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", script, "env=vima/rotate", "agent=expert", f"out={tmp_path}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "VIMABench" in result.stderr and "Traceback" not in result.stderr


def test_every_task_and_level_has_a_name() -> None:
    names = [name for name in known_envs() if name.startswith("vima/")]
    assert len(names) == 17 + sum(len(task.levels) for task in TASKS.values()) == 17 + 13 + 13 + 13 + 12 + 4
    assert {name.split("/")[1] for name in names} == set(TASKS)
    assert "embodio/vima-rotate-v0" in gymnasium.registry and "embodio/vima-rotate-L3-v0" in gymnasium.registry


@pytest.mark.filterwarnings("ignore")
def test_gymnasium_finds_nothing_wrong(bench) -> None:
    check_env(gymnasium.make("embodio/vima-rotate-v0").unwrapped, skip_render_check=True)


def test_observations_are_in_their_space_and_the_prompt_in_order(bench) -> None:
    env = make_env("vima/rotate/L2")
    observation, info = env.reset(seed=3)
    assert env.observation_space.contains(observation) and info["seed"] == 3 and info["failed_resets"] == ()
    assert observation["front"].shape == (128, 256, 3) and observation["state"].tolist() == [0.0]
    prompt = observation["instruction"]
    assert [part if isinstance(part, str) else "image" for part in prompt] == [
        *("Put the", "image", "into the", "image", "please."),
    ]
    assert not np.array_equal(prompt[1], prompt[3]) and np.array_equal(prompt[1], observation["front"])
    assert bench.made[0].task_kwargs == {"level": "L2"}
    assert env.embodiment == embodiment_of("vima/rotate/L2")
    assert make_env("vima/sweep_without_touching").reset(seed=1)[0]["state"].tolist() == [1.0]


def test_the_same_seed_is_the_same_scene_and_a_seed_without_one_is_told(bench) -> None:
    env = make_env("vima/rotate")
    first, info = env.reset(seed=40)
    assert info["seed"] == 41 and len(info["failed_resets"]) == 1
    assert "resetting to seed 40 failed: ValueError: Error in sampling" in info["failed_resets"][0]
    again, _ = make_env("vima/rotate").reset(seed=41)
    assert np.array_equal(first["top"], again["top"]) and np.array_equal(
        first["instruction"][1], again["instruction"][1]
    )
    assert not np.array_equal(env.reset()[0]["top"], env.reset()[0]["top"])


def test_ten_seeds_without_a_scene_are_a_simulator_error(bench, monkeypatch) -> None:
    env = make_env("vima/rotate")
    env.reset(seed=1)
    monkeypatch.setattr(bench.made[0], "reset", lambda: [].pop())
    with pytest.raises(SimulatorError, match="no seed from 5 to 14 gives a scene"):
        env.reset(seed=5)
    assert bench.made[0].closed
    env.reset(seed=5)  # starts over
    assert len(bench.made) == 2


def test_horizons_are_those_of_the_published_protocol(bench) -> None:
    published = {
        **dict.fromkeys(("visual_manipulation", "scene_understanding", "rotate"), 5),
        **dict.fromkeys(("novel_adj", "novel_noun", "novel_adj_and_noun"), 5),
        **dict.fromkeys(("manipulate_old_neighbor", "pick_in_order_then_restore", "follow_motion", "follow_order"), 6),
        **dict.fromkeys(("same_texture", "same_shape"), 6),
        **dict.fromkeys(("rearrange", "twist"), 7),
        **dict.fromkeys(("rearrange_then_restore", "sweep_without_exceeding"), 10),
        "sweep_without_touching": 16,
    }
    assert {task: make_env(f"vima/{task}").horizon for task in TASKS} == published


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_oracle_solves_every_task(task: str, bench) -> None:
    env = make_env(f"vima/{task}")
    results = list(rollout(env, make_expert(f"vima/{task}", env), seeds=range(1, 6)))
    assert [result.status for result in results] == ["success"] * 5 and {r.steps for r in results} == {1}
    assert set(bench.made[0].skipped_oracle) == {False}


class Stays:
    def reset(self, instruction=None):
        self.told = instruction

    def act(self, observation):
        return np.float32(STAY)


def test_the_horizon_is_that_of_the_protocol(bench) -> None:
    env = make_env("vima/rearrange_then_restore")
    policy = Stays()
    (result,) = rollout(env, policy, [2])
    assert (result.status, result.steps) == ("timeout", 10) and isinstance(policy.told, list)
    assert set(bench.made[0].skipped_oracle) == {True}
    assert make_env("vima/rotate", horizon=1).horizon == 1


def test_how_steps_end(bench) -> None:
    env = make_env("vima/rotate")
    env.reset(seed=1)
    _, reward, terminated, truncated, info = env.step(np.float32(STAY))
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info == {"success": False, "failure": False, "verb_fits": True}
    assert env.step(np.float32([1, *STAY[1:]]))[4]["verb_fits"] is False
    _, _, terminated, _, info = env.step(np.float32([*STAY[:4], 0.25, 0, 0]))
    assert terminated and info["failure"] and not info["success"]


def test_a_breakdown_is_reported_and_the_next_reset_recovers(bench) -> None:
    env = make_env("vima/rotate")
    env.reset(seed=1)
    bench.made[0].broken = True
    with pytest.raises(SimulatorError, match="Not connected"):
        env.step(np.float32(STAY))
    with pytest.raises(EnvError, match="call reset"):
        env.step(np.float32(STAY))
    env.reset(seed=1)
    assert env.step(np.float32(STAY))[2] is False


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [(1, 0.8, "'pose0_x' is 0.8.*clip it first"), (6, np.nan, "pose1_turn"), (6, 361, "pose1_turn"), (0, 2, "verb")],
)
def test_wrong_actions_are_named(place: int, value: float, message: str) -> None:
    action = np.array(STAY)
    action[place] = value
    with pytest.raises(InvalidAction, match=message):
        from_action(action)
    with pytest.raises(InvalidAction, match="shape"):
        from_action(action[:6])


def test_every_action_of_the_space_is_one_of_the_benchmark(bench) -> None:
    env = make_env("vima/rotate")
    space = env.action_space
    space.seed(0)
    env.reset(seed=1)
    for action in [space.low, space.high, *(space.sample() for _ in range(50))]:
        parts = from_action(action)
        assert env.benchmark.action_space.contains(parts)
        back = to_actions(parts, ("suction", "spatula")[round(float(action[0]))])
        gap = np.abs(back[1:] - action[1:])
        gap[[2, 5]] = np.minimum(gap[[2, 5]], 360 - gap[[2, 5]])
        assert gap.max() < 1e-3


def test_heights_of_positions_are_left_out() -> None:
    parts = from_action(np.float32(STAY))
    high = {n: np.append(part, np.float32(0.3)) if n.endswith("position") else part for n, part in parts.items()}
    assert np.array_equal(to_actions(high, "suction"), to_actions(parts, "suction"))


def test_wrong_settings(bench) -> None:
    for wrong in ({"level": "L4"}, {"level": "L9"}, {"horizon": 0}, {"prompt_view": "side"}, {"render_mode": "human"}):
        with pytest.raises(EnvError):
            make_env("vima/rotate", **wrong)
    with pytest.raises(UnknownEnv, match="Did you mean 'rotate'"):
        make_env("vima/rotate", task="rotat")
    with pytest.raises(EnvError, match="call reset"):
        make_env("vima/rotate", render_mode="rgb_array").render()
    with pytest.raises(InvalidAction, match="pose1_rotation missing"):
        to_actions({n: np.zeros(2) for n in ("pose0_position", "pose0_rotation", "pose1_position")}, "suction")
    with pytest.raises(InvalidAction, match="'hand' is unknown"):
        to_actions({}, "hand")


def test_both_views_are_rendered_and_cameras_can_be_left_out(bench) -> None:
    env = make_env("vima/rotate", render_mode="rgb_array", cameras=False, prompt_view="top")
    observation, _ = env.reset(seed=1)
    assert set(observation) == {"state", "instruction"} and env.observation_space.contains(observation)
    assert env.render().shape == (128, 512, 3)
    env.close()
    assert bench.made[0].closed


def test_environments_side_by_side(bench) -> None:
    envs = gymnasium.vector.SyncVectorEnv([lambda: make_env("vima/rotate") for _ in range(2)])
    observations, _ = envs.reset(seed=[1, 2])
    assert observations["front"].shape == (2, 128, 256, 3)
    assert [len(prompt) for prompt in observations["instruction"]] == [5, 5]
    envs.step(np.float32([STAY, STAY]))


def test_prompts() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert interleave("{a} then {a}.", {"a": image})[1:] == ["then", image, "."]
    assert interleave("no images", {}) == ["no images"]
    with pytest.raises(EnvError, match="do not fit"):
        interleave("{a}", {"b": image})
    space = PromptSpace(4, 4)
    assert space == PromptSpace(4, 4) != PromptSpace(4, 5) and "4" in repr(space)
    assert space.contains(space.sample()) and not space.contains([]) and not space.contains([image[:2]])

"""Released weights act: each robot in a gymnasium loop, and a VIMA episode from its prompt to the executed plan."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from embodio.agent import Abstained, Agent, AgentOptions, check_agent
from embodio.agent.planning.constrained import Answer, ConstrainedDecoder
from embodio.agent.released.robots import ROBOTS
from embodio.envs import make_env, make_expert
from embodio.envs.vima.robot import HIGH, LOW
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.released import RandomScenes, write_released
from tests.support.envs.fake_vima_bench import install

VOCABULARY = Vocabulary.default()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("released") / "uio2")


def load(folder: Path, robot: str, **settings: Any) -> Agent:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "robot .*: not published")
        return Agent.load(folder, robot=robot, **settings)


class Dictated:
    """A decoder that is given its answer as tokens, and counts how often it is asked."""

    def __init__(self, decoder: ConstrainedDecoder, text: str) -> None:
        self._decoder, self.grammar, self.asked = decoder, decoder.grammar, 0
        self._choices = decoder.grammar.parse(np.array(VOCABULARY.encode(text, parse_special=True)))

    def __call__(self, encoded: Any, *_: Any) -> Answer:
        self.asked += 1
        return self._decoder(encoded, given=self._choices[None])


def sentence(number: int, action: Sequence[float]) -> str:
    """A step of a plan as the paper writes it, from the numbers of an action."""
    poses = np.array(action[1:], dtype=np.float64).reshape(2, 3)
    low, high = np.array([*LOW, 0.0]), np.array([*HIGH, 360.0])
    bins = np.trunc((poses - low) / (high - low) * 999).astype(int) + 200
    first, second = (" ".join(f"<extra_id_{i}>" for i in pose) for pose in bins)
    start, end = ("push", "push") if action[0] else ("pick", "place")
    return f"{number}: {start} from ( {first} ) and {end} to ( {second} )"


@pytest.mark.parametrize("robot", sorted(ROBOTS))
def test_every_robot_acts_in_a_gymnasium_loop(folder: Path, robot: str) -> None:
    agent = load(folder, robot)
    env = RandomScenes(agent.embodiment)
    observation, _ = env.reset(seed=3)
    agent.reset(observation["instruction"])
    truncated = False
    while not truncated:
        observation, _, _, truncated, _ = env.step(agent.act(observation))
    told = VOCABULARY.decode(VOCABULARY.encode(agent.example().text))
    config = agent.format.config
    assert told.startswith("[Text] [S]") and "go to the red block" in told
    assert len(agent.example().image_history) == config.history_frames
    past = np.stack(env.taken[-1 - max(1, config.previous_actions) : -1])
    if config.previous_actions:
        assert f"History: {VOCABULARY.decode(agent.format.write(past))} Predict" in told
    if config.history_text:
        words = [VOCABULARY.decode(agent.format.write(action)) for action in env.taken[-5:-1]]
        assert [word for word in told.split(" Goal: ")[1].split(" The history")[0].split() if word.isalpha()] == words
        assert [told.count(f"<image_history_{slot}>") for slot in range(1, 6)] == [1, 1, 1, 1, 0]


def test_an_agent_of_released_weights_keeps_the_contract(folder: Path) -> None:
    agent = load(folder, "pointnav")
    assert "reset of rows" in str(check_agent(agent, RandomScenes(agent.embodiment)))


def test_answers_always_parse_and_tell_how_far_from_the_grammar_the_network_is(folder: Path) -> None:
    agent = load(folder, "vima", options=AgentOptions(temperature=5.0))
    env = RandomScenes(agent.embodiment)
    observation, _ = env.reset(seed=1)
    for seed in range(3):
        agent.reset("put it there", seed=seed)
        plan = agent.plan(observation)
        assert plan.ndim == 2 and 1 <= len(plan) <= 8 and all(env.action_space.contains(action) for action in plan)
    agent.reset()
    assert agent.decide(observation).legal_mass < 0.9
    careful = load(folder, "vima", options=AgentOptions(abstain_below=0.9))
    careful.reset("put it there")
    with pytest.raises(Abstained, match=r"legal mass below 0\.9"):
        careful.act(observation)


def test_a_vima_episode_goes_from_the_prompt_to_the_executed_plan(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    env = make_env("vima/rotate/L2")
    agent = load(folder, "vima", embodiment=env.unwrapped.embodiment)
    observation, _ = env.reset(seed=3)
    expert = make_expert("vima/rotate/L2", env)
    expert.reset()
    solution = expert.act(observation)
    away = np.array([0, 0.3, -0.4, 0, 0.3, -0.3, 45.0])
    plan = f"{sentence(1, away)} {sentence(2, solution)}"
    agent.runtime.decoder = dictated = Dictated(agent.runtime.decoder, plan)  # type: ignore[assignment]
    agent.reset(observation["instruction"])
    first = agent.act(observation)
    np.testing.assert_allclose(first, away, atol=0.4)
    example, prompt = agent.example(), observation["instruction"]
    assert VOCABULARY.decode(VOCABULARY.encode(example.text)).startswith(
        "[Text] [S] Put the <image_history_1> into the <image_history_2> please. Plan all actions"
    )
    pictures: list[npt.NDArray[Any]] = [part for part in prompt if not isinstance(part, str)]
    assert all(np.array_equal(*pair) for pair in zip(example.image_history, pictures, strict=True))
    assert np.array_equal(example.image, observation["front"])
    observation, _, terminated, _, info = env.step(first)
    assert not terminated and info["verb_fits"]
    second = agent.act(observation)
    assert (np.abs(second - solution) <= [0, 6e-4, 1.1e-3, 0.4, 6e-4, 1.1e-3, 0.4]).all()  # one bin
    _, _, terminated, _, info = env.step(second)
    assert terminated and info["success"] and dictated.asked == 1

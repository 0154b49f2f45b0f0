"""Steps told in the prompt: training on an episode and acting through it make the same examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.agent.format.observation import read_observation
from embodio.agent.planning.session import Session
from embodio.agent.released.loading import released_format
from embodio.agent.released.robots import released_robot
from embodio.datasets.opening import open_source
from embodio.datasets.stream.order import generator_at
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.datasets.toy import write_random_dataset


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("steps") / "random"
    return open_source(write_random_dataset(folder, released_robot("pointnav").embodiment, (7, 2)))


@pytest.mark.parametrize(("frames", "stride"), [(4, 1), (2, 2)])
def test_training_and_acting_tell_the_same_steps(source: Any, frames: int, stride: int) -> None:
    robot = released_robot("pointnav")
    form = released_format(robot, Vocabulary.default(), history_frames=frames, history_stride=stride)
    task, episode, session = NextAction(source, form, [0]), source.episode(0), Session(form, 1, None)
    session.reset("go to the red block")
    for step in range(7):
        seen = {"rgb": episode.frame("rgb", step), "state": episode.array("observation/state")[step]}
        session.observe(read_observation(form.spec, seen))
        acting, training = session.example(), task.example(step)
        assert acting.text == training.text
        assert len(acting.image_history) == len(training.image_history) == min(frames, step // stride)
        assert all(map(np.array_equal, acting.image_history, training.image_history))
        session.skip(episode.array("action")[step : step + 1])
    assert all("history" not in step for moment in session.window for step in moment["history"]), "or memory grows"


def test_a_dropped_history_is_not_told(source: Any, tmp_path: Path) -> None:
    form = released_format(released_robot("pointnav"), Vocabulary.default())
    shared = SharedConfig(inputs=InputConfig(drop_history=1.0, drop_state=1.0))
    example = NextAction(source, form, [0], shared=shared).example(5, generator_at(0, 0))
    ids = [part for part in example.text[1:] if not isinstance(part, str)]
    assert ids == [form.vocabulary.image_input_id] and not example.image_history

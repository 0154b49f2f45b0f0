"""What an observation may be: everything else is refused by name, and nothing is remembered of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from embodio.agent import Agent, ObservationError, PolicyConfig
from embodio.agent.format.instruction import read_instruction
from embodio.agent.format.observation import batch_size, read_observation, split_batch
from embodio.envs.embodiment import Camera
from tests.support.agent.policies import make_checkpoint, make_embodiment
from tests.support.agent.robots import hearing, observation_of, without_statistics

FORMAT = hearing(goal_image=True, microphone=True, prompt_images=2, prompt_sounds=2)
DTYPES = st.sampled_from(["u1", "i1", "i4", "i8", "u2", "f2", "f4", "f8", "b1", "c8", "U3", "O", "M8[s]"])


def good(seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return observation_of(FORMAT, seed) | {
        "goal": generator.integers(0, 256, (40, 50, 3), dtype=np.uint8),
        "microphone": generator.uniform(-0.5, 0.5, 800).astype(np.float32),
    }


def shapes() -> st.SearchStrategy[tuple[int, ...]]:
    near = [
        (128, 128, 3),
        (3, 128, 128),
        (128, 128),
        (128, 128, 4),
        (127, 128, 3),
        (2,),
        (3,),
        (0,),
        (),
        (1, 2),
        (7, 0),
    ]
    return st.sampled_from(near) | arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@st.composite
def anything(draw: st.DrawFn) -> Any:
    """Arrays of any dtype and shape, special numbers among them, and things that are not arrays at all."""
    kind = draw(st.sampled_from(["array", "array", "filled", "thing", "pair", "list"]))
    if kind == "array":
        shape, dtype = draw(shapes()), np.dtype(draw(DTYPES))
        array = np.zeros(shape, dtype)
        if array.size and dtype.kind in "fiub":
            values = [0, 1, -1, 255, 6e4, float("nan"), float("inf")] if dtype.kind == "f" else [0, 1, 100]
            array.reshape(-1)[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(values))
        return array
    if kind == "filled":
        return np.full(draw(shapes()), draw(st.floats(width=32)), np.float32)
    if kind == "pair":
        rate = draw(st.integers() | st.floats() | st.text(max_size=2) | st.none() | st.booleans())
        return (np.zeros(draw(st.integers(0, 50)), np.float32), rate)
    if kind == "list":
        return draw(st.recursive(st.floats() | st.text(max_size=2) | st.none(), lambda x: st.lists(x, max_size=3)))
    return draw(
        st.sampled_from([None, "front", 3, 0.5, object(), {"a": 1}, {1, 2}, b"ab", [[1], [1, 2]], print, Exception])
    )


def is_allowed(key: str, value: Any) -> bool:
    """What may stand under a key, said again in other words."""
    pair = isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], np.ndarray)
    try:
        array = np.asarray(value[0] if key == "microphone" and pair else value)
    except ValueError:
        return False
    if array.dtype.kind not in "uif" or 0 in array.shape:
        return False
    numbers = array.astype(np.float64)
    if key in ("front", "hand", "goal"):
        sized = array.shape in ((128, 128, 3), (3, 128, 128)) if key != "goal" else array.ndim == 3
        if not sized or (key == "goal" and 3 not in (array.shape[0], array.shape[2])):
            return False
        if array.shape[2] != 3:
            array = array.transpose(1, 2, 0)
        if max(array.shape[:2]) > 50 * min(array.shape[:2]):
            return False
        return array.dtype == np.uint8 or (array.dtype.kind == "f" and bool(((numbers >= 0) & (numbers <= 1)).all()))
    if key == "state":
        if array.shape != (2,) or array.dtype.kind != "f" or not np.isfinite(numbers).all():
            return False
        return bool(-2 <= numbers[0] <= 4 and -0.08 <= numbers[1] <= 0.16)
    if pair and (isinstance(value[1], bool) or not isinstance(value[1], int | float)):
        return False
    if pair and not (value[1] == value[1] and 1000 <= value[1] <= 192_000 and int(value[1]) == value[1]):
        return False
    if array.dtype.kind == "u" or array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
        return False
    return array.dtype.kind == "i" or bool((np.abs(numbers) <= 4).all())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FORMAT.spec.keys), anything())
def test_nothing_is_refused_or_taken_wrongly(key: str, value: Any) -> None:
    """Never another type of error, never a silent acceptance, and the message names the key and what it should be."""
    observation = good() | {key: value}
    if is_allowed(key, value):
        read = read_observation(FORMAT.spec, observation)
        assert np.isfinite(read[key]).all() and read[key].dtype in (np.uint8, np.float32, np.float64, np.float16)
        return
    with pytest.raises(ObservationError) as error:
        read_observation(FORMAT.spec, observation)
    assert key in str(error.value) and (
        "expected" in str(error.value) or "must" in str(error.value) or ";" in str(error.value)
    )


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*FORMAT.spec.keys, "fornt", "instruction"]), anything(), max_size=6) | anything()
)
def test_whole_observations_and_batches_of_anything(observation: Any) -> None:
    try:
        count = batch_size(FORMAT.spec, observation)
        parts = [observation] if count is None else split_batch(FORMAT.spec, observation, count)
        for part in parts:
            read_observation(FORMAT.spec, part)
    except ObservationError:
        return
    assert all(is_allowed(key, part[key]) for part in parts for key in FORMAT.spec.keys)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=5) | anything() | st.lists(st.text(max_size=3) | anything(), max_size=4))
def test_instructions_of_anything(given_words: Any) -> None:
    try:
        read = read_instruction(FORMAT.config, given_words)
    except ObservationError as error:
        assert "instruction" in str(error)
        return
    for part in [read] if isinstance(read, str) else read:
        if isinstance(part, str):
            part.encode()
        else:
            assert part.dtype == (np.uint8 if part.ndim == 3 else np.float32)


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_an_agent_that_refuses_is_as_before(agents: tuple[Agent, Agent], data: st.DataObject) -> None:
    """`reset` and `act` raise before they change anything."""
    tried, calm = agents
    for agent in agents:
        agent.reset(instruction="lift", seed=1)
        agent.act(good(0))
    key, value = data.draw(st.sampled_from(FORMAT.spec.keys)), data.draw(anything())
    if not is_allowed(key, value):
        with pytest.raises(ObservationError):
            tried.act(good(1) | {key: value})
    for wrong in (
        {"instruction": 3},
        {"instruction": ("go", 4)},
        {"seed": -1},
        {"seed": "x"},
        {"rows": [1]},
        {"rows": "no"},
    ):
        with pytest.raises(ObservationError):
            tried.reset(**wrong)
    np.testing.assert_array_equal(tried.act(good(2)), calm.act(good(2)))


@pytest.fixture(scope="module")
def agents() -> tuple[Agent, Agent]:
    checkpoint = make_checkpoint(FORMAT)
    return Agent(checkpoint), Agent(checkpoint)


def test_instructions_that_are_too_long_are_refused_not_cut() -> None:
    agent = Agent(make_checkpoint(FORMAT))
    with pytest.raises(ObservationError, match=r"the prompt has \d+ tokens, but this network reads"):
        agent.reset(instruction="lift the cube " * 200)
    with pytest.raises(ObservationError, match="lone surrogate"):
        agent.reset(instruction="lift \ud800")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([], "an empty list"),
        ((), "there are none"),
        (b"lift", "got bytes"),
        (("lift", 3), r"row 1: instruction: .*got int"),
        (np.array(["lift", 3], dtype=object), r"row 1: instruction: .*got int"),
        ((np.full(9, np.nan, np.float32), 16000), r"\[-1, 1\], found nan"),
    ],
)
def test_what_is_no_instruction_is_named(agents: tuple[Agent, Agent], told: Any, message: str) -> None:
    with pytest.raises(ObservationError, match=message):
        agents[0].reset(instruction=told)


@pytest.mark.parametrize("heights", [(64, 64, 64), (64, 96, 32), (100,), ()])
def test_any_number_of_cameras_of_any_size(heights: tuple[int, ...]) -> None:
    cameras = tuple(Camera(f"c{i}", height, 48 + 16 * i) for i, height in enumerate(heights))
    robot = dataclasses.replace(make_embodiment(), cameras=cameras)
    policy_format = without_statistics(robot, chunk=1)
    agent = Agent(make_checkpoint(policy_format))
    seen = observation_of(policy_format)
    agent.reset(instruction="lift")
    alone = agent.act(seen)
    if cameras:
        image = policy_format.image(seen)
        assert image.shape == (max(heights), sum(camera.width for camera in cameras), 3)
        left = 0
        for camera in cameras:
            np.testing.assert_array_equal(image[: camera.height, left : left + camera.width], seen[camera.name])
            assert not image[camera.height :, left : left + camera.width].any()
            left += camera.width
    else:
        assert agent.example().image is None
    agent.reset(instruction=("lift", "lift"))
    both = agent.act({key: np.stack([value, value]) for key, value in seen.items()})
    np.testing.assert_array_equal(both, [alone, alone])


def test_a_policy_without_cameras_has_no_history() -> None:
    from embodio.agent import CheckpointError

    with pytest.raises(CheckpointError, match="without a camera there is no history"):
        PolicyConfig(cameras=(), history_frames=1)

"""VIMA's episodes as the paper's examples: prompt images as image history, whole plans as text, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from embodio.datasets.errors import FeatureError
from embodio.datasets.sources.vima import VimaSource
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.plan import Plan, PlanConfig
from embodio.envs.vima.robot import HIGH, LOW
from tests.support.datasets.vima_files import write_episode
from tests.support.datasets.vima_formats import FORM, VOCABULARY, vima_format

SPAN = np.array([HIGH[0] - LOW[0], HIGH[1] - LOW[1], 360.0] * 2)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(6)), elements=st.floats(0, 1)), st.booleans())
def test_a_plan_is_the_papers_text_and_comes_back_within_half_a_bin(shares: np.ndarray, push: bool) -> None:
    low = np.array([*LOW, 0.0] * 2)
    actions = np.concatenate([np.full((len(shares), 1), float(push)), low + shares * SPAN], axis=1)
    ids = FORM.write(actions)
    back = FORM.actions(np.array(ids))
    assert (np.abs(back - actions) <= np.array([0, *SPAN / 999 / 2]) + 1e-6 * 360).all()
    text = VOCABULARY.decode(ids)
    first, second = ("push", "push") if push else ("pick", "place")
    assert text.startswith(f"1: {first} from ( <extra_id_") and f" ) and {second} to ( <extra_id_" in text
    assert VOCABULARY.encode(text, parse_special=True) == ids  # what the released models' tokeniser makes of it
    assert text.count(f": {first} from") == len(shares) and f"{len(shares)}: {first}" in text


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> VimaSource:
    root = tmp_path_factory.mktemp("vima")
    for number, length in enumerate((1, 2)):
        write_episode(root / "rotate" / f"{number:06d}", length, 10 + number)
    return VimaSource(root)


def test_prompt_images_are_the_image_history(source: VimaSource) -> None:
    shown = source.episode(1).prompt.assets["thing"].rgb["front"]
    prefix, slot = VOCABULARY.prefix_id("text", "S"), VOCABULARY.image_history_id(1)
    for task in (NextAction(source, FORM, [0, 1]), Plan(source, FORM, [0, 1], PlanConfig())):
        example = task.example(1)
        assert len(example.image_history) == 1 and np.array_equal(example.image_history[0], shown)
        assert example.image is not None and example.image.shape == (128, 512, 3)
        words = list(example.text)
        assert words[0] == prefix and slot in words
        place = words.index(slot)
        assert str(words[place - 1]).endswith("Rotate the") and str(words[place + 1]).startswith("90 degrees.")
        assert "{" not in VOCABULARY.decode(VOCABULARY.encode(words))
        assert example.text_target == FORM.write(source.episode(1).array("action"))


def test_a_policy_without_slots_reads_words(source: VimaSource) -> None:
    form = vima_format(prompt_images=0)
    for task in (NextAction(source, form, [0]), Plan(source, form, [0], PlanConfig())):
        example = task.example(0)
        assert example.image_history == () and any("Rotate the {thing}" in str(part) for part in example.text)


def test_more_images_than_slots_are_an_error(source: VimaSource, monkeypatch: pytest.MonkeyPatch) -> None:
    task = NextAction(source, FORM, [0])
    names = " ".join(f"{{a{i}}}" for i in range(9))
    episode = source.episode(0)
    monkeypatch.setattr(type(episode), "instruction", names)
    with pytest.raises(FeatureError, match="9 images, the policy slots for 8"):
        task.example(0)


def test_acting_and_training_see_the_same(source: VimaSource, tmp_path: Path) -> None:
    """The prompt that the environment would give makes the same words as the episode."""
    from embodio.datasets.episodes.recorded.images import prompt_of

    told = prompt_of(source.episode(0))
    example = NextAction(source, FORM, [0]).example(0)
    assert list(example.text) == FORM.prompt({}, told)

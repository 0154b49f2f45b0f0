"""Examples without a question: sounds cut while their words stay, targets that are given, prompts that are empty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embodio.datasets.errors import UnusableRecord
from embodio.datasets.objectives import named_objective, objective_names
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.plain import run_of_segments
from embodio.datasets.objectives.parts.spans import Denoiser
from embodio.datasets.records.record import Media, Record, Trajectory, Video, View
from embodio.model.example import Example
from tests.support.datasets.made_up_records import camera, captioned
from tests.support.model.small import CONFIG, VOCABULARY

SEGMENT = 31 * 256
WORDS = " ".join(f"w{number:02d}" for number in range(40))
WHOLE = {"keep": 1.0, "whole": 1.0, "denoisers": {"s": Denoiser("S", 0.25)}}
CONTEXT = ObjectiveContext(CONFIG, VOCABULARY)


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).uniform(0.1, 0.5, samples).astype(np.float32)


def picture(seed: int, size: tuple[int, int] = (32, 32)) -> Media[Any]:
    return Media.of(np.random.default_rng(seed).integers(1, 256, (*size, 3), dtype=np.uint8))


def made(name: str, record: Record, seed: int = 0, context: ObjectiveContext = CONTEXT, **config: Any) -> Example:
    kind = named_objective(name)
    return kind(kind.settings(**config)).example(record, context, np.random.default_rng(seed))


def words(prompt: Any) -> list[str]:
    return [word for word in VOCABULARY.decode(VOCABULARY.encode(prompt)).split() if word.startswith("w")]


@pytest.mark.parametrize("length", [0.4, 1.0, 1.2, 1.5, 1.9, 2.0, 2.7, 3.0])
def test_a_sound_for_which_there_are_slots_is_given_whole_with_all_that_is_said(length: float) -> None:
    sound = noise(int(length * SEGMENT) + 9)
    example = made("denoise_text", Record(key="r", sound=Media.of(sound), transcript=WORDS), **WHOLE)
    heard = np.concatenate([*example.audio_history, example.audio])
    assert len(sound) - len(heard) < 1600 and np.array_equal(heard, sound[: len(heard)])
    assert len(words(example.text_target)) == 40


@pytest.mark.parametrize("name", ["denoise_text", "denoise_audio"])
def test_of_a_sound_that_is_cut_the_words_of_the_part_are_given(name: str) -> None:
    record = Record(key="r", sound=Media.of(noise(8 * SEGMENT)), transcript=WORDS)
    firsts = set[str]()
    for seed in range(8):
        settings = WHOLE if name == "denoise_text" else {"keep": 1.0, "denoise": 0.0, "neutral": 0.0}
        example = made(name, record, seed, **settings)
        said = words(example.text_target if name == "denoise_text" else example.text)
        expected = 15 if name == "denoise_text" else 5  # three segments of eight, or one
        assert expected - 2 <= len(said) <= expected + 1
        firsts.add(said[0])
    assert len(firsts) > 3


def test_captions_of_a_cut_sound_stay_whole() -> None:
    example = made("denoise_text", Record(key="r", sound=Media.of(noise(8 * SEGMENT)), captions=(WORDS,)), **WHOLE)
    assert len(words(example.text_target)) == 40


def test_a_run_of_segments_is_one_piece_of_the_sound() -> None:
    sound = np.arange(10 * SEGMENT, dtype=np.float32)
    start, run = run_of_segments(sound, 3, SEGMENT, np.random.default_rng(0))
    np.testing.assert_array_equal(np.concatenate(run), sound[start : start + 3 * SEGMENT])


def test_of_a_long_film_no_more_is_said_than_is_heard() -> None:
    rate, seconds = 1.0, 60
    video = Video(
        frames=np.stack([picture(number, (24, 32)).load() for number in range(seconds)]),
        rate=rate,
        sound=noise(960_000),
    )
    for seed in range(6):
        example = made("denoise_text", Record(key="v", video=Media.of(video), transcript=WORDS), seed, **WHOLE)
        parts = 1 + len(example.audio_history)
        assert len(words(example.text_target)) <= parts * SEGMENT / 960_000 * 40 + 2


@pytest.mark.parametrize("denoise", [0.0, 1.0])
def test_an_image_that_a_document_shows_twice_is_not_given_where_it_is_to_be_drawn(denoise: float) -> None:
    same, other = picture(1), picture(2)
    record = Record(key="d", document=["A cat.", same, "Again.", Media.of(same.load().copy()), other, same])
    for seed in range(12):
        example = made("denoise_image", record, seed, denoise=denoise)
        given = [*example.image_history, *([example.image] if denoise == 0.0 and example.image is not None else [])]
        assert not any(np.array_equal(one, example.image_target) for one in given)


def test_a_paragraph_that_a_document_repeats_is_not_given_where_it_is_to_be_written() -> None:
    record = Record(key="d", document=[picture(1), "w01 w02 w03.", picture(2), " w01  w02 w03. "])
    for seed in range(8):
        assert not words(made("denoise_text", record, seed, **WHOLE).text)


@pytest.mark.parametrize("frames", [1, 5])
def test_a_film_that_stands_still_does_not_show_what_is_to_be_drawn(frames: int) -> None:
    video = Video(frames=np.repeat(picture(1).load()[None], frames, axis=0), rate=2.0)
    for seed in range(12):
        example = made("denoise_image", Record(key="v", video=Media.of(video)), seed, denoise=0.5)
        assert not example.image_history and example.image_hidden is not None


def test_two_views_that_are_one_picture_hide_nothing() -> None:
    view = camera(1.0, 0.1, 1.0)
    with pytest.raises(UnusableRecord, match="one picture"):
        made("complete_view", Record(key="s", views=(view, view)))


@pytest.mark.parametrize(
    "document",
    [
        [picture(1), picture(2), picture(3)],
        [picture(1), "A cow.", picture(2)],
        ["A cow of some size.", picture(1)],
        ["Some words, and no image at all."],
    ],
)
def test_no_prompt_of_a_document_is_a_prefix_alone(document: list[Any]) -> None:
    for seed in range(24):
        example = made("multimodal", Record(key="d", document=document), seed)
        assert asks(example), "something is given besides the prefix"


def asks(example: Example) -> bool:
    shown = example.image is not None or example.audio is not None
    return shown or bool(example.image_history or example.audio_history) or len(VOCABULARY.encode(example.text)) > 1


def test_a_text_of_one_token_is_asked_for_only_by_what_is_given_with_it() -> None:
    word = VOCABULARY.decode(VOCABULARY.encode("cup")[:1])
    for seed in range(24):
        with pytest.raises(UnusableRecord, match="nothing is given"):
            made("multimodal", Record(key="t", text=word), seed)
        example = made("denoise_text", Record(key="r", captions=(word,), image=picture(1)), seed, keep=0.2)
        assert example.image is not None and asks(example)


THIN = (2, 60)
"""Less than a row of pixels of the canvas, which is in the middle of no patch."""


def thin_records() -> list[Record]:
    image, whole = picture(1, THIN), picture(2)
    view = View(image=image, pose=camera(1.0, 0.1, 1.0).pose)
    images = [whole, image, image, image]
    numbers = np.arange(4, dtype=np.float32)[:, None].repeat(3, axis=1) / 10
    limits = np.array([[0.0] * 3, [1.0] * 3])
    walk = Trajectory(
        instruction="go", images=images, states=numbers, actions=numbers, state_limits=limits, action_limits=limits
    )
    return [
        Record(key="i", image=image, captions=("a red cup on a table",), facts={"masks": np.ones(THIN, np.uint8)}),
        Record(key="w", views=(view, View(image=image, pose=camera(0.8, 0.5, 1.0).pose))),
        Record(key="t", trajectory=walk),
    ]


@pytest.mark.parametrize("name", [name for name in objective_names() if name not in ("denoise_text", "denoise_audio")])
def test_an_image_that_shows_nothing_in_any_patch_is_never_asked_about(name: str) -> None:
    partners = [captioned(1), captioned(2)]
    context = ObjectiveContext(CONFIG, VOCABULARY, lambda generator: partners[int(generator.integers(2))])
    config = {"keep": 1.0} if name == "denoise_image" else {}
    tried = 0
    for record in thin_records():
        if not named_objective(name)().suits(record, context):
            continue
        for seed in range(4):
            try:
                example = made(name, record, seed, context, **config)
            except UnusableRecord:
                tried += 1
                continue
            images = [example.image, *example.image_history, example.image_target]
            assert not any(image is not None and image.shape[0] < 4 for image in images)
            tried += 1
    assert tried


def test_a_sound_that_is_heard_in_no_patch_is_not_asked_about() -> None:
    click = np.zeros(SEGMENT, np.float32)
    click[:8] = 0.5
    with pytest.raises(UnusableRecord, match="holds nothing"):
        made("denoise_text", Record(key="r", sound=Media.of(click), captions=("a click of a switch",)), **WHOLE)
    with pytest.raises(UnusableRecord, match="nothing to write"):
        made("denoise_audio", Record(key="r", sound=Media.of(click), captions=("a click",)), denoise=0.0, keep=1.0)

"""Captions of several images: references and images agree, and nothing that is asked for is in the prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, UnusableRecord
from embodio.datasets.objectives.caption_several import CaptionSeveralConfig, CaptionSeveralImages
from embodio.datasets.objectives.parts.spans import restore_text
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.processing.processor import Processor
from embodio.model.tasks.families.caption_several import references
from tests.support.datasets.made_up_records import CONTEXT, captioned, with_partners
from tests.support.model.small import CONFIG, VOCABULARY

RECORDS = [captioned(seed, f"what picture {seed} shows is this") for seed in range(8)]
CONTEXTS = with_partners(RECORDS)


def made(seed: int, **rates: float) -> Example:
    config = CaptionSeveralConfig(**{"denoise": 0.0, "one": 0.0, "all": 0.0, **rates})  # type: ignore[arg-type]
    return CaptionSeveralImages(config).example(RECORDS[0], CONTEXTS, np.random.default_rng(seed))


def captions_of(example: Example) -> list[str]:
    """The captions of the images of an example, found by their pixels."""
    known = {record.image.load().tobytes(): record.captions[0] for record in RECORDS}  # type: ignore[union-attr]
    return [known[np.asarray(image).tobytes()] for image in [*example.image_history, example.image]]


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_all_captions_follow_their_references_in_the_order_of_the_images(seed: int) -> None:
    example = made(seed, all=1.0)
    captions = captions_of(example)
    expected = [part for pair in zip(references(VOCABULARY, len(captions) - 1), captions, strict=True) for part in pair]
    assert list(example.text_target or ()) == expected
    assert 2 <= len(captions) <= 1 + CONFIG.sampling.num_frames and len(set(captions)) == len(captions)
    assert captions[-1] == RECORDS[0].captions[0], "the record's own image is the last one"


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_one_caption_is_that_of_the_image_referred_to(seed: int) -> None:
    example = made(seed, one=1.0)
    captions = captions_of(example)
    known = references(VOCABULARY, len(captions) - 1)
    [reference] = [part for part in example.text[1:] if not isinstance(part, str)]
    assert list(example.text_target or ()) == [captions[known.index(int(reference))]]


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_denoised_caption_put_together_is_the_caption_and_the_others_are_given(seed: int) -> None:
    example = made(seed, denoise=1.0)
    captions = captions_of(example)
    prompt = [int(part) for part in example.text]
    assert prompt[0] in {VOCABULARY.prefix_id("text", paradigm) for paradigm in "RX"}
    whole = restore_text(prompt[1:], [int(part) for part in example.text_target or ()], VOCABULARY)
    pairs = zip(references(VOCABULARY, len(captions) - 1), captions, strict=True)
    assert whole == [token for reference, text in pairs for token in [reference, *VOCABULARY.encode(text)]]
    Processor(CONFIG, VOCABULARY)(example)


def test_the_three_tasks_are_drawn_at_their_rates() -> None:
    objective = CaptionSeveralImages(CaptionSeveralConfig(denoise=2.0, one=1.0, all=1.0))
    shares = np.zeros(3)
    for seed in range(400):
        example = objective.example(RECORDS[0], CONTEXTS, np.random.default_rng(seed))
        denoised = example.text[0] != VOCABULARY.prefix_id("text", "S")
        shares[0 if denoised else 1 if len(example.text_target or ()) == 1 else 2] += 1 / 400
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.08)


def test_the_same_generator_makes_the_same_example() -> None:
    one, other = made(3, all=1.0), made(3, all=1.0)
    assert one.text_target == other.text_target and one.text == other.text


def test_what_is_needed_is_a_captioned_image_partners_and_slots() -> None:
    objective = CaptionSeveralImages()
    assert objective.suits(RECORDS[0], CONTEXTS)
    assert not objective.suits(RECORDS[0], CONTEXT), "no partners"
    assert not objective.suits(replace(RECORDS[0], captions=()), CONTEXTS)
    assert not objective.suits(replace(RECORDS[0], captions=(" ",)), CONTEXTS)
    bare = replace(CONTEXTS, config=replace(CONFIG, input_modalities=("text", "image")))
    assert not objective.suits(RECORDS[0], bare)


def test_partners_without_captions_make_a_record_unusable() -> None:
    with pytest.raises(UnusableRecord, match="none of the records"):
        CaptionSeveralImages().example(
            RECORDS[0], with_partners([Record(key="x"), RECORDS[0]]), np.random.default_rng(0)
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"most": 1}, "most"), ({"one": -1.0}, "one"), ({"denoise": 0, "one": 0, "all": 0}, "above")],
)
def test_wrong_settings_name_their_field(settings: dict[str, float], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        CaptionSeveralConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["denoise", "one", "all"])
def test_long_captions_are_cut_so_that_all_of_them_fit(mode: str) -> None:
    long = [captioned(seed, " ".join(f"word{seed}{number}" for number in range(90))) for seed in range(8)]
    config = CaptionSeveralConfig(**{"denoise": 0.0, "one": 0.0, "all": 0.0, mode: 1.0})  # type: ignore[arg-type]
    processor = Processor(CONFIG, VOCABULARY, cut_text=False)  # an error where something does not fit
    for seed in range(20):
        processor(CaptionSeveralImages(config).example(long[0], with_partners(long), np.random.default_rng(seed)))


def test_records_of_one_picture_are_no_partners_as_their_captions_tell_what_is_hidden() -> None:
    twin, other = replace(RECORDS[0], key="the same picture, with a sound"), RECORDS[1]
    with pytest.raises(UnusableRecord, match="none of the records"):
        CaptionSeveralImages().example(RECORDS[0], with_partners([twin]), np.random.default_rng(0))
    for seed in range(20):
        made = CaptionSeveralImages().example(RECORDS[0], with_partners([twin, other]), np.random.default_rng(seed))
        assert len(made.image_history) == 1 and (made.image_history[0] != made.image).any()

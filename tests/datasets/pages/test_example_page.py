"""The page of examples: tokens as words, patches marked as they are hidden, sounds to play, nothing from outside."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from embodio.datasets.objectives.complete_view import CompleteView, CompleteViewConfig
from embodio.datasets.pages.example_page import example_card, examples_html
from embodio.datasets.pages.pictures import on_canvas, picture, spectrogram, with_patches
from embodio.datasets.pages.token_text import pieces
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.processing.processor import Processor
from tests.support.datasets.made_up_records import CONTEXT, camera
from tests.support.model.small import CONFIG, VOCABULARY

PROCESSOR = Processor(CONFIG, VOCABULARY)


def test_special_tokens_are_named() -> None:
    ids = [VOCABULARY.prefix_id("text", "R"), *VOCABULARY.encode("a red cup"), VOCABULARY.sentinel_id(7)]
    ids += [VOCABULARY.value_id(123), VOCABULARY.image_history_id(2), VOCABULARY.audio_history_id(3)]
    ids += [VOCABULARY.image_input_id, VOCABULARY.audio_input_id, 1]
    assert [(one.kind, one.text.strip()) for one in pieces(VOCABULARY, ids)] == [
        ("prefix", "text R"),
        ("text", "a red cup"),
        ("sentinel", "7"),
        ("value", "123"),
        ("reference", "image 2"),
        ("reference", "sound 3"),
        ("reference", "image"),
        ("reference", "sound"),
        ("end", "end"),
    ]


@given(st.lists(st.integers(0, VOCABULARY.size - 1), max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_ids_have_pieces(ids: list[int]) -> None:
    found = pieces(VOCABULARY, ids)
    assert (not ids) == (not found) and all(isinstance(one.text, str) for one in found)


def test_hidden_patches_are_grey_and_seen_ones_are_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    hidden, left_out = np.zeros((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    hidden[1, 2], left_out[3, 0] = True, True
    shown = with_patches(on_canvas(image, (32, 32)), hidden, left_out)
    assert (shown[8:16, 16:24] == 128).all(), "nothing of it can be seen"
    assert (shown[24:, :8] != image[24:, :8]).any()
    same = np.ones((32, 32), dtype=bool)
    same[8:16, 16:24] = same[24:, :8] = False
    np.testing.assert_array_equal(shown[same], image[same])


def test_a_view_is_completed_from_the_patches_that_are_left() -> None:
    record = Record(key="scene", views=(camera(1.0, 0.2, 0.9), camera(1.3, 1.0, 0.8)))
    objective = CompleteView(CompleteViewConfig(hidden=0.75))
    assert objective.suits(record, CONTEXT) and not objective.suits(Record(key="x"), CONTEXT)
    example = objective.example(record, CONTEXT, np.random.default_rng(0))
    assert example.image_hidden is not None and example.image_hidden.sum() == 6, "of the eight that show something"
    assert example.image_target is example.image and len(example.image_history) == 1
    assert np.asarray(example.image_history[0]).tobytes() != np.asarray(example.image).tobytes()
    features = PROCESSOR(example)
    assert not set(features["inputs/image/pos_ids"].tolist()) & set(np.flatnonzero(example.image_hidden).tolist())
    assert features["targets/image/task_mask"].any()
    card = example_card("scene", example, PROCESSOR, np.random.default_rng(0), {})
    assert [part.name for part in card.sees] == ["prompt", "image 1 of the history", "image"]
    assert card.sees[2].note.endswith("6 hidden") and "where patches are hidden" in card.writes[0].note
    with pytest.raises(Exception, match="hidden"):
        CompleteViewConfig(hidden=1.0)


def test_the_page_holds_pictures_and_sounds_and_escapes_texts() -> None:
    rng = np.random.default_rng(0)
    sound = (0.1 * rng.normal(size=6000)).astype(np.float32)
    image = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    example = Example(
        text="<script>", image_history=[image], audio=sound, text_target="yes", image_target=image, audio_target=sound
    )
    card = example_card("<b>", example, PROCESSOR, rng, {"record": "a & b"})
    assert [part.name for part in card.writes] == ["text", "image", "sound"]
    assert card.sees[2].note == "6 patches: 6 seen", "of the sound, without the silence after it"
    page = examples_html("corpus", {"records": "3"}, [card]).decode()
    assert page.count("<audio") == 2 and page.count("<img") == 4
    assert "<script>" not in page and "&lt;b&gt;" in page and "http" not in page


def test_pictures_are_png_and_small_ones_are_enlarged() -> None:
    medium = picture(np.zeros((10, 20, 3), dtype=np.uint8))
    assert Pictures.open(io.BytesIO(medium.data)).size == (180, 90)
    drawn = spectrogram(np.linspace(0, 1, 64).reshape(16, 4))
    assert drawn.shape == (4, 16, 3) and drawn[:, 0].sum() < drawn[:, -1].sum(), "later is louder, to the right"

"""Hidden patches: absent from the encoder, their codes marked, whatever the sizes, the padding and the sampling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.model import Example, ModelConfig, Processor, UnifiedIO2, Vocabulary, collate
from embodio.model.processing.audio_features import Spectrogram
from embodio.model.processing.hidden_codes import hidden_image_codes, hidden_sound_codes
from embodio.model.processing.image import ImageFit
from embodio.model.processing.processor import ProcessorError
from tests.support.model.small import CONFIG, image, sound

VOCABULARY = Vocabulary.default()
LARGE = ModelConfig.named("large")
SMALL = Processor(CONFIG, VOCABULARY)
SIDES = st.integers(20, 90)


def grid(seed: int, shape: tuple[int, int], share: float = 0.5) -> np.ndarray:
    hidden = np.random.default_rng(seed).random(shape) < share
    hidden[0, 0] = False
    return hidden


def processor(**samples: int) -> Processor:
    return Processor(CONFIG.replace(sampling=replace(CONFIG.sampling, **samples)), VOCABULARY)


def test_the_encoder_is_given_the_other_patches_in_order() -> None:
    hidden, picture, noise = grid(0, (4, 4)), image(1, 32, 32), sound(1)
    whole = SMALL(Example(text="", image=picture, audio=noise))
    heard = grid(1, (4, 2))
    part = SMALL(Example(text="", image=picture, image_hidden=hidden, audio=noise, audio_hidden=heard))
    for name, cells in (("image", hidden), ("audio", heard)):
        kept = np.flatnonzero(~cells)
        assert part[f"inputs/{name}/pos_ids"].tolist() == kept.tolist()
        assert part[f"inputs/{name}/pos_ids"].dtype == np.int32
        for field in ("input", "mask"):
            np.testing.assert_array_equal(part[f"inputs/{name}/{field}"], whole[f"inputs/{name}/{field}"][kept])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), SIDES, SIDES)
def test_no_pixel_of_a_hidden_patch_changes_the_inputs(seed: int, height: int, width: int) -> None:
    """Pixels two away from every patch that is given change, which is further than resizing to the canvas blurs."""
    hidden = grid(seed, (4, 4))
    fit = ImageFit.of((height, width), (32, 32))
    rows, columns = ((np.arange(side) + 0.5) * fit.scale for side in (height, width))
    reach = 2.0 + 2.0 * fit.scale  # pixels of the canvas
    far = np.ones((height, width), dtype=bool)
    for row, column in np.argwhere(~hidden):
        near_rows = np.abs(rows + fit.top - (8 * row + 4)) < 4 + reach
        near_columns = np.abs(columns + fit.left - (8 * column + 4)) < 4 + reach
        far &= ~np.outer(near_rows, near_columns)
    one = image(seed, height, width)
    other = np.where(far[..., None], 255 - one, one)
    first, second = (SMALL(Example(text="", image=picture, image_hidden=hidden)) for picture in (one, other))
    np.testing.assert_array_equal(first["inputs/image/input"], second["inputs/image/input"])


def test_released_sizes_mark_every_code_that_shares_a_pixel_with_a_hidden_patch() -> None:
    """24 x 24 patches and 32 x 32 codes, both drawn on 768 x 768 cells."""
    hidden = grid(3, (24, 24), share=0.3)
    picture = image(3, 384, 384)
    drawn = Processor(LARGE, VOCABULARY)(Example(text="", image=picture, image_hidden=hidden, image_target=picture))
    cells = np.kron(hidden, np.ones((32, 32), dtype=bool))
    wanted = cells.reshape(32, 24, 32, 24).any(axis=(1, 3)).reshape(-1)
    np.testing.assert_array_equal(drawn["targets/image/task_mask"], wanted)
    assert drawn["targets/image/task_mask"].dtype == np.int32
    assert drawn["targets/image/mask"].all() and drawn["targets/image/loss_mask"].all(), "all is reconstructed"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), st.integers(8, 300), st.integers(8, 300), st.sampled_from([(96, 192), (64, 96), (96, 96)]))
def test_codes_of_any_picture_agree_with_its_hidden_area(
    seed: int, height: int, width: int, canvas: tuple[int, int]
) -> None:
    """Pixel by pixel of the picture: where it is on either canvas says which patch and which code it belongs to."""
    seen = ~grid(seed, (canvas[0] // 16, canvas[1] // 16))
    source, target = ImageFit.of((height, width), canvas), ImageFit.of((height, width), (96, 96))
    codes = hidden_image_codes(seen, source, target, 16, 8).reshape(12, 12)
    steps = 400
    places = (np.arange(steps) + 0.5) / steps
    patch = [(o + places * c) / 16 for o, c in zip((source.top, source.left), source.content, strict=True)]
    code = [(o + places * c) / 8 for o, c in zip((target.top, target.left), target.content, strict=True)]
    rows, columns = (side.astype(int) for side in patch)
    dark = ~seen[np.ix_(rows, columns)]
    found = np.zeros((12, 12), dtype=bool)
    np.logical_or.at(found, tuple(np.meshgrid(*(side.astype(int) for side in code), indexing="ij")), dark)
    assert not (codes & ~found).any(), "a code is marked although all of it is seen"
    # Codes that share a strip of up to half a pixel with a hidden patch may be taken for seen.
    inner = [np.abs(side * 16 - np.round(side) * 16) > 1.1 for side in patch]
    sure = np.zeros((12, 12), dtype=bool)
    deep = dark & np.outer(*inner)
    np.logical_or.at(sure, tuple(np.meshgrid(*(side.astype(int) for side in code), indexing="ij")), deep)
    assert not (sure & ~codes).any(), "a code with a hidden part is not marked"


def test_codes_of_sounds_run_through_time_first() -> None:
    seen = np.ones((16, 8), dtype=bool)
    seen[2, 3] = False  # frames 32 to 47, bands 48 to 63
    codes = hidden_sound_codes(seen, ((256, 128), (256, 128)), 16, (8, 8))
    wanted = np.zeros((32, 16), dtype=bool)
    wanted[4:6, 6:8] = True
    np.testing.assert_array_equal(codes, wanted.reshape(-1))
    coarse = hidden_sound_codes(seen, ((256, 128), (256, 64)), 16, (16, 16))
    assert np.flatnonzero(coarse).tolist() == [2 * 4 + 1], "half as many bands cover the same range"


def test_padding_is_neither_trained_nor_marked() -> None:
    picture = image(5, 32, 16)
    hidden = grid(5, (4, 4), share=0.6)
    made = SMALL(Example(text="", image=picture, image_hidden=hidden, image_target=picture))
    mask, task = (made[f"targets/image/{name}"].reshape(8, 8) for name in ("mask", "task_mask"))
    assert (mask[:, :2] == 0).all() and (mask[:, 6:] == 0).all() and mask[:, 2:6].all()
    np.testing.assert_array_equal(made["targets/image/loss_mask"], made["targets/image/mask"])
    assert (task <= mask).all() and task.any()


def test_the_edge_of_a_picture_that_no_patch_shows_is_hidden_too() -> None:
    """A picture 20 wide begins 2 pixels before the second patch; its first patch counts as padding."""
    picture = image(5, 32, 20)
    hidden = np.zeros((4, 4), dtype=bool)
    hidden[0, 1] = True
    made = SMALL(Example(text="", image=picture, image_hidden=hidden, image_target=picture))
    assert made["inputs/image/mask"].reshape(-1)[0] == 0
    task = made["targets/image/task_mask"].reshape(8, 8)
    assert task[:, 1].all() and task[:, 6].all(), "2 pixels at either side, in codes that are trained"
    assert made["targets/image/mask"].reshape(8, 8)[:, 1].all()
    assert task[:2, 2:4].all() and not task[2:, 2:6].any()


def test_patches_that_sampling_leaves_out_count_as_hidden() -> None:
    some, hidden, picture = processor(image_patches=6), grid(7, (4, 4), share=0.3), image(7, 32, 32)
    example = Example(text="", image=picture, image_hidden=hidden, image_target=picture)
    made = some(example, np.random.default_rng(1))
    positions = made["inputs/image/pos_ids"]
    assert len(positions) == 6 and not hidden.reshape(-1)[positions].any()
    seen = np.zeros(16, dtype=bool)
    seen[positions] = True
    wanted = np.kron(~seen.reshape(4, 4), np.ones((2, 2), dtype=bool)).reshape(-1)
    np.testing.assert_array_equal(made["targets/image/task_mask"], wanted)
    other = some(example, np.random.default_rng(2))["inputs/image/pos_ids"]
    assert sorted(positions) != sorted(other)
    few = some(replace(example, image_hidden=grid(7, (4, 4), share=0.8)))  # within the number: nothing is drawn
    assert len(few["inputs/image/pos_ids"]) < 6


def test_without_hidden_patches_nothing_is_marked() -> None:
    picture = image(8, 32, 32)
    made = SMALL(Example(text="", image=picture, image_target=picture))
    assert not made["targets/image/task_mask"].any()
    generated = SMALL(Example(text="", image_target=picture, audio_target=sound(8)))
    assert not generated["targets/image/task_mask"].any() and not generated["targets/audio/task_mask"].any()


def test_hidden_and_whole_inputs_share_a_batch_with_histories() -> None:
    torch.manual_seed(0)
    picture, noise = image(9, 32, 32), Spectrogram(np.random.default_rng(9).random((32, 16)).astype(np.float32))
    examples = [
        Example(text="a", image=picture, image_hidden=grid(1, (4, 4)), image_target=picture, image_history=[picture]),
        Example(text="b", audio=noise, audio_hidden=grid(2, (4, 2)), audio_target=noise, audio_history=[noise]),
        Example(text="c", image=picture, audio=noise, text_target="d"),
    ]
    model = UnifiedIO2(CONFIG, tokenizers=True)
    batch = collate([SMALL(example) for example in examples])
    assert model.loss(model(batch)).total.isfinite()
    alone = model(collate([SMALL(examples[0])]))["image"].logits
    torch.testing.assert_close(model(batch)["image"].logits[:1], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_hidden": grid(0, (4, 4))}, "image_hidden: there is no image"),
        ({"audio_hidden": grid(0, (4, 2))}, "audio_hidden: there is no audio"),
        ({"image": image(0), "image_hidden": grid(0, (4, 2))}, r"image_hidden: expected bool \(4, 4\)"),
        ({"image": image(0), "image_hidden": np.ones((4, 4))}, "found float64"),
        ({"image": image(0), "image_hidden": [[True]]}, "found list"),
        ({"audio": sound(0), "audio_hidden": np.ones((4, 2), dtype=bool)}, "every patch is hidden"),
    ],
)
def test_grids_that_do_not_fit_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ProcessorError, match=message):
        SMALL(Example(text="", **fields))

"""The masks of the paper: right patterns, really in force when switched on, no leaks, and no cost when off."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.config.parts import ImageTokenizerConfig, ImageTowerConfig, LengthConfig, TransformerConfig
from embodio.model.errors import DecodingError
from embodio.model.generation import Beam, GenerationOptions, Guidance, generate
from embodio.model.layers.sparse_masks import Placement, fed_visible, layer_masks, layer_pattern, pattern_mask
from embodio.model.network.targets import shift_right
from tests.support.model.golden_network import OWN_FOLDER, load_network, worst

PATTERNS = ("row", "column", "convolution")
SIDE = 16
LENGTH = SIDE * SIDE
SAME = 1e-5


def network(layers: int = 4, **changes: Any) -> UnifiedIO2:
    """Text in, text or an image of 16 x 16 codes out; the same weights whatever the changes."""
    config = ModelConfig(
        transformer=TransformerConfig(
            vocab_size=64,
            emb_dim=32,
            num_heads=2,
            head_dim=16,
            num_encoder_layers=1,
            num_decoder_layers=layers,
            mlp_dim=48,
        ),
        input_modalities=("text",),
        target_modalities=("text", "image"),
        image_tower=ImageTowerConfig(emb_dim=32, num_heads=2, head_dim=16, num_layers=2, mlp_dim=32),
        image_vocab_size=66,
        image_tokenizer=ImageTokenizerConfig(num_codes=64, image_size=(128, 128)),
        lengths=LengthConfig(decoder_image=LENGTH),
        **changes,
    )
    torch.manual_seed(0)
    return UnifiedIO2(config).eval()


@functools.lru_cache
def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "inputs/text/tokens": torch.randint(3, 64, (2, 5), generator=generator),
        "targets/image/tokens": torch.randint(2, 66, (2, LENGTH), generator=generator),
    }


def task_mask(*hidden: int) -> Tensor:
    mask = torch.zeros(2, LENGTH)
    mask[:, list(hidden)] = 1
    return mask


@torch.no_grad()
def image_logits(model: UnifiedIO2, **changes: Tensor) -> Tensor:
    return model(batch() | {f"targets/image/{name}": value for name, value in changes.items()})["image"].logits


def reacting(model: UnifiedIO2, position: int, **fields: Tensor) -> list[int]:
    """Positions whose logits change when the target token at `position` changes."""
    tokens = batch()["targets/image/tokens"].clone()
    tokens[:, position] = (tokens[:, position] - 2 + 31) % 64 + 2
    difference = (image_logits(model, tokens=tokens, **fields) - image_logits(model, **fields)).abs()
    return (difference.amax(dim=(0, 2)) > 0).nonzero().flatten().tolist()


@pytest.mark.parametrize(("height", "width", "sums"), [(32, 32, (33264, 16896, 52354)), (32, 16, (8568, 8448, 23762))])
def test_numbers_of_ones_are_those_of_the_specification(height: int, width: int, sums: tuple[int, ...]) -> None:
    place = Placement.of_grid(height * width, width, torch.device("cpu"))
    assert tuple(int(pattern_mask(name, place, place).sum()) for name in PATTERNS) == sums


def test_keys_of_one_query() -> None:
    place = Placement.of_grid(512, 16, torch.device("cpu"))
    row, column = (pattern_mask(name, place, place)[0, 100].nonzero().flatten().tolist() for name in PATTERNS[:2])
    assert row == list(range(84, 101))
    assert column == [4, 20, 36, 52, 68, 84, 100]


@pytest.mark.parametrize(("modality", "width"), [("image", 8), ("audio", 4)])
def test_patterns_with_hidden_tokens_are_those_of_the_reference(modality: str, width: int) -> None:
    golden = load_network(OWN_FOLDER)
    expected = golden.outputs[f"all/target/{modality}/attn_pattern_mask"].bool()
    hidden = golden.batch[f"targets/{modality}/task_mask"]
    for index, pattern in enumerate(PATTERNS):
        place = Placement.of_grid(expected.shape[-1], width, torch.device("cpu"), hidden)
        layers = {"row": 0, "column": 1, "convolution": 2}[pattern]
        assert layer_pattern(layers, 3) == pattern
        found = layer_masks(place, place, 3)[layers]
        assert found is not None
        assert torch.equal(found[:, 0], expected[:, index])


def test_layers_take_the_patterns_of_the_reference() -> None:
    assert [layer_pattern(layer, 24) for layer in range(24)] == [
        "convolution" if layer == 23 else "column" if (layer - 1) % 4 == 0 else "row" for layer in range(24)
    ]


def test_patterns_that_no_layer_uses_are_not_computed() -> None:
    place = Placement.of_grid(64, 8, torch.device("cpu"))
    masks = layer_masks(place, place, 24)
    assert len({id(mask) for mask in masks}) == 3
    assert len({id(mask) for mask in layer_masks(place, place, 1)}) == 1


def test_switches_change_the_logits_and_only_when_on() -> None:
    off = image_logits(network())
    assert torch.equal(image_logits(network(), task_mask=task_mask(3, 40)), off)
    sparse = image_logits(network(sparse_decoding=True))
    dynamic = network(dynamic_masking=True)
    assert worst(sparse, off) > 1e-2
    assert worst(sparse[:, :17], off[:, :17]) > 1e-3  # within the first row and the next token
    assert worst(image_logits(dynamic), off) < SAME
    assert worst(image_logits(dynamic, task_mask=task_mask(3, 40)), off) > 1e-2


def test_text_is_as_before_in_paper_mode() -> None:
    texts = batch() | {"targets/text/targets": torch.arange(3, 33).expand(2, -1)}
    with torch.no_grad():
        off, on = (model(texts)["text"].logits for model in (network(), network(sparse_decoding=True)))
    assert worst(on, off) < SAME


@pytest.mark.parametrize("sparse", [False, True])
def test_only_the_position_where_a_hidden_token_is_fed_reacts_to_it(sparse: bool) -> None:
    model = network(dynamic_masking=True, sparse_decoding=sparse)
    hidden = task_mask(20, 21, 22, 90)
    for position in (20, 21, 90):
        assert reacting(model, position, task_mask=hidden) == [position + 1]
    assert len(reacting(model, 40, task_mask=hidden)) > 1
    assert len(reacting(network(sparse_decoding=sparse), 20, task_mask=hidden)) > 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("convolution", lambda q, k: abs(q // SIDE - k // SIDE) <= 5 and abs(q % SIDE - k % SIDE) <= 5),
    ],
)
def test_one_layer_reaches_what_its_pattern_says(pattern: str, expected: Callable[[int, int], bool]) -> None:
    model = network(layers=1, sparse_decoding=True)
    assert layer_pattern(0, 1) == pattern
    fed = 101
    wanted = [query for query in range(fed, LENGTH) if expected(query, fed)]
    assert reacting(model, fed - 1) == wanted


def test_hidden_tokens_of_packed_targets_stay_hidden() -> None:
    """Text and image in one row: the masks of the image do not touch the text, and the other way round."""
    model = network(dynamic_masking=True, sparse_decoding=True)
    hidden = task_mask(20, 21)
    both = batch() | {"targets/text/targets": torch.arange(3, 33).expand(2, -1), "targets/image/task_mask": hidden}
    with torch.no_grad():
        together = model(both)
        text = model({key: value for key, value in both.items() if "image" not in key})["text"].logits
    assert worst(together["image"].logits, image_logits(model, task_mask=hidden)) < SAME
    assert worst(together["text"].logits, text) < SAME


@pytest.mark.parametrize("chunks", [[1] * 40, [1, 19, 20], [40]])
@pytest.mark.parametrize("dynamic", [False, True])
def test_cached_decoding_equals_teacher_forcing(chunks: list[int], dynamic: bool) -> None:
    model = network(sparse_decoding=True, dynamic_masking=dynamic)
    hidden = task_mask(7, 8, 9, 30) if dynamic else task_mask()
    expected = image_logits(model, task_mask=hidden)[:, :40]
    state = model.start_decoding(model.encode(batch()), 40, "image", hidden[:, :40] if dynamic else None)
    tokens = shift_right(batch()["targets/image/tokens"])[:, :40]
    logits = torch.cat([model.decode_step(state, part) for part in tokens.split(chunks, dim=1)], dim=1)
    assert worst(logits, expected) < SAME


def test_forked_and_selected_states_keep_their_masks() -> None:
    model = network(sparse_decoding=True, dynamic_masking=True)
    hidden = task_mask(7)
    hidden[1, 3] = 1
    tokens = shift_right(batch()["targets/image/tokens"])[:, :40]
    rows = torch.tensor([1, 1, 0])
    encoded = model.encode(batch())
    expected = image_logits(model, task_mask=hidden)[:, :40]
    state = model.start_decoding(encoded, 40, "image", hidden[:, :40]).select(rows).fork(2)
    found = model.decode_step(state, tokens[rows].repeat_interleave(2, dim=0))
    assert worst(found, expected[rows].repeat_interleave(2, dim=0)) < SAME


@pytest.mark.parametrize("scale", [0.0, 1.5])
@pytest.mark.parametrize("beam", [None, Beam(width=3)])
def test_generation_in_paper_mode_equals_teacher_forcing(scale: float, beam: Beam | None) -> None:
    """What is written is scored as the whole target is, with hidden codes, guidance and beams."""
    model, count = network(sparse_decoding=True, dynamic_masking=True), 40
    hidden = task_mask(0, 7, 8, 9, 30)
    inputs = {"inputs/text/tokens": batch()["inputs/text/tokens"]}
    neutral = {"inputs/text/tokens": torch.tensor([[40, 41, 1]])}
    guidance = Guidance.encode(model, neutral, scale) if scale else None
    options = GenerationOptions(max_tokens=count, beam=beam)
    made = generate(model, inputs, "image", options, guidance=guidance, task_mask=hidden)

    def logarithms(given: dict[str, Tensor], **fields: Tensor) -> Tensor:
        targets = {"tokens": made.tokens, "task_mask": hidden[:, :count], **fields}
        with torch.no_grad():
            logits = model(given | {f"targets/image/{name}": value for name, value in targets.items()})["image"].logits
        return logits.log_softmax(dim=-1)

    scores = logarithms(inputs)
    if scale:
        scores = (1 + scale) * scores - scale * logarithms({key: value.expand(2, -1) for key, value in neutral.items()})
        scores = scores if beam else scores.log_softmax(dim=-1)
    chosen = scores.gather(-1, made.tokens.unsqueeze(-1)).squeeze(-1)
    assert worst(chosen.sum(dim=1), made.log_probability) < 1e-3
    if beam is None:
        assert torch.equal(scores[..., 2:].argmax(dim=-1) + 2, made.tokens)
    plain = generate(model, inputs, "image", options, guidance=guidance)
    assert worst(plain.log_probability, made.log_probability) > 0.01


def test_a_task_mask_of_another_length_is_refused() -> None:
    model = network(dynamic_masking=True)
    with pytest.raises(DecodingError, match="task_mask has the shape"):
        model.start_decoding(model.encode(batch()), 40, "image", task_mask(3))
    with pytest.raises(DecodingError, match="2 examples of 256 codes were expected"):
        generate(model, model.encode(batch()), "image", task_mask=task_mask(3)[:, :40])


def test_visible_follows_the_shift() -> None:
    assert fed_visible(torch.tensor([[1, 0, 1, 1]])).tolist() == [[True, False, True, False]]


class Largest(TorchDispatchMode):
    """Notes how many numbers the largest new tensor has, and the bytes of all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers, self.squares = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not func.is_view:
            self.numbers += out.numel()
            self.squares += out.shape[-2:] == (LENGTH, LENGTH)
        return out


def test_no_square_mask_exists_when_they_are_off() -> None:
    counts = []
    for sparse in (False, True):
        with Largest() as seen:
            image_logits(network(sparse_decoding=sparse))
        counts.append(seen.squares)
    assert counts[0] == 0 and counts[1] > 0


def step_cost(model: UnifiedIO2, length: int) -> int:
    """Numbers that are computed to feed one token after `length` others, whose values do not matter."""
    state = model.start_decoding(model.encode(batch()), LENGTH, "image")
    state.length = length
    with Largest() as seen:
        model.decode_step(state, torch.full((2, 1), 7))
    return seen.numbers


def test_work_of_a_step_does_not_grow_with_masks_that_are_off() -> None:
    assert step_cost(network(), 200) - step_cost(network(), 10) == 0
    assert step_cost(network(sparse_decoding=True), 200) > step_cost(network(sparse_decoding=True), 10)


@pytest.mark.parametrize("sparse", [False, True])
def test_paper_mode_trains(sparse: bool) -> None:
    model = network(layers=2, sparse_decoding=sparse, dynamic_masking=True).train()
    model.loss(model(batch() | {"targets/image/task_mask": task_mask(3, 4, 5)})).total.backward()
    assert all(torch.isfinite(value.grad).all() for value in model.parameters() if value.grad is not None)

"""Where the JAX code and its PyTorch port differ, an option says which; each changes what it says and nothing else."""

import functools

import numpy as np
import pytest
import torch
from torch import Tensor

from embodio.model import GeometryError, ModelConfig, UnifiedIO2
from embodio.model.generation import JAX_DEMONSTRATION, score_answers
from embodio.model.processing.image import ImageFit
from embodio.model.tasks.locations.box_formats import boxes_from_pixels, boxes_to_pixels
from embodio.model.tasks.locations.codec import LocationCodec
from embodio.model.tokens.vocabulary import EOS_ID, Vocabulary
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network, worst

HISTORIES = ("image_history", "audio_history")


@functools.lru_cache
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER)


def changed(**changes: object) -> UnifiedIO2:
    """The golden network with other options."""
    model = UnifiedIO2(golden().model.config.replace(**changes)).eval()
    model.load_state_dict(golden().model.state_dict())
    return model


def test_defaults_are_those_of_the_jax_code_where_the_weights_depend_on_them() -> None:
    config = ModelConfig.named("large")
    assert (config.resampler_gelu, config.logits_dtype) == ("tanh", "float32")
    assert not config.sparse_decoding and not config.dynamic_masking


@torch.no_grad()
def test_activation_of_the_resampler_changes_the_histories_and_nothing_else() -> None:
    port, jax = (changed(resampler_gelu=name).embed_inputs(golden().batch) for name in ("erf", "tanh"))
    for name in port:
        difference = worst(port[name].embeddings, jax[name].embeddings)
        assert 1e-7 < difference < 5e-3 if name in HISTORIES else difference == 0.0


@torch.no_grad()
def test_logits_of_a_bfloat16_network() -> None:
    port, jax = (changed(logits_dtype=name).bfloat16() for name in ("parameter", "float32"))
    hidden = torch.randn(3, port.config.transformer.emb_dim).bfloat16()
    exact = hidden.double() @ port.table("text").double().T / port.config.transformer.emb_dim**0.5
    found = {name: model.logits(hidden, "text") for name, model in (("port", port), ("jax", jax))}
    assert (found["port"].dtype, found["jax"].dtype) == (torch.bfloat16, torch.float32)
    assert worst(found["jax"].double(), exact) < 1e-4 < worst(found["port"].double(), exact)


@torch.no_grad()
def test_logits_dtype_does_not_matter_in_float32() -> None:
    hidden = torch.randn(3, golden().model.config.transformer.emb_dim)
    assert torch.equal(*(changed(logits_dtype=name).logits(hidden, "text") for name in ("parameter", "float32")))


@torch.no_grad()
def test_logits_are_float32_under_autocast() -> None:
    hidden = torch.randn(3, golden().model.config.transformer.emb_dim)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = {name: changed(logits_dtype=name).logits(hidden, "text").dtype for name in ("parameter", "float32")}
    assert found == {"parameter": torch.bfloat16, "float32": torch.float32}


def count_tower_rows(model: UnifiedIO2, batch: dict[str, Tensor]) -> tuple[int, dict[str, Tensor]]:
    rows = []
    hook = model.towers["image"].register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    with torch.no_grad():
        outputs = {name: output.logits for name, output in model(batch).items()}
    hook.remove()
    return sum(rows), outputs


@pytest.mark.parametrize("all_absent", [False, True])
def test_absent_rows_are_skipped_with_equal_results(all_absent: bool) -> None:
    batch = dict(golden().batch)
    for name in ("image", "image_history"):
        mask = batch[f"inputs/{name}/mask"].clone()
        mask[slice(None) if all_absent else 1] = 0
        batch[f"inputs/{name}/mask"] = mask
    computed, expected = count_tower_rows(changed(absent_rows="computed"), batch)
    skipped, found = count_tower_rows(changed(absent_rows="skipped"), batch)
    assert skipped < computed
    for name, logits in expected.items():
        assert worst(found[name], logits, batch[f"targets/{name}/mask"]) < 2e-6


def test_skipping_trains_alike() -> None:
    batch = dict(golden().batch)
    batch["inputs/image_history/mask"] = batch["inputs/image_history/mask"].clone()
    batch["inputs/image_history/mask"][1] = 0
    gradients = []
    for choice in ("computed", "skipped"):
        model = changed(absent_rows=choice)
        model.loss(model(batch)).total.backward()
        gradients.append({name: value.grad for name, value in model.named_parameters() if value.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(worst(gradients[1][name], value) < 1e-4 for name, value in gradients[0].items())


def test_box_formats_spell_the_same_tokens() -> None:
    fit = ImageFit.of((60, 100), (384, 384))
    pixels = np.array([[6.0, 10.0, 30.0, 90.0], [0.0, 0.0, 60.0, 100.0]])
    given = {"yx_pixels": pixels, "yx_unit": pixels / [60, 100, 60, 100], "xy_pixels": pixels[:, [1, 0, 3, 2]]}
    plain = LocationCodec(Vocabulary.default())
    ids = plain.boxes_to_ids(pixels, fit)
    for name, boxes in given.items():
        codec = LocationCodec(Vocabulary.default(), box_format=name)  # type: ignore[arg-type]
        np.testing.assert_array_equal(codec.boxes_to_ids(boxes, fit), ids)
        expected = boxes_from_pixels(plain.ids_to_boxes(ids, fit), name, fit.image)  # type: ignore[arg-type]
        np.testing.assert_allclose(codec.ids_to_boxes(ids, fit), expected, rtol=1e-6)
        np.testing.assert_array_equal(codec.points_to_ids(boxes[:, :2], fit), plain.points_to_ids(pixels[:, :2], fit))
    with pytest.raises(GeometryError, match="box_format"):
        boxes_to_pixels(pixels, "corners", fit.image)  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="expected"):
        boxes_to_pixels(pixels[0], "yx_unit", fit.image)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_answers_may_end_twice(reduction: str) -> None:
    encoded = golden().model.encode(golden().batch)
    options = [[[7, 8], [11]]] * 2
    twice = score_answers(golden().model, encoded, options, reduction=reduction, end_ids=2)  # type: ignore[arg-type]
    once = score_answers(golden().model, encoded, options, reduction="sum").losses
    for row in range(2):
        for place, answer in enumerate(options[row]):
            targets = torch.tensor([[*answer, EOS_ID, EOS_ID]] * 2)
            with torch.no_grad():
                batch = golden().only(("text", "image", *HISTORIES, "audio"), ()) | {"targets/text/targets": targets}
                logits = golden().model(batch)["text"].logits[row]
            losses = torch.nn.functional.cross_entropy(logits, targets[row], reduction="none")
            assert float(losses[:-1].sum()) == pytest.approx(float(once[row, place]), abs=1e-4)
            wanted = losses.sum() if reduction == "sum" else losses.mean()
            assert float(twice.losses[row, place]) == pytest.approx(float(wanted), abs=1e-4)


def test_sampling_of_the_demonstration() -> None:
    sampling, repetition = JAX_DEMONSTRATION.sampling, JAX_DEMONSTRATION.repetition
    assert sampling is not None and repetition is not None
    assert (sampling.temperature, sampling.top_p, sampling.order, repetition.penalty) == (0.9, 0.9, "jax", 1.5)

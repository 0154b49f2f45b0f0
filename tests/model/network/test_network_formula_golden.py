"""The network equals the reference on two networks whose weights and inputs are given by formulas, not files.

One has the resampler of sizes large and xl (QK-norm), the other that of xxl (scaled cosine). The files hold summaries
only: the sum of absolute values, and the first and last elements of each tensor.
"""

import functools
import json
from typing import Any

import pytest
import torch

from embodio.model import UnifiedIO2
from embodio.model.layers.rotary import interleave
from embodio.model.weights.reference_layout import from_reference_state, to_reference_state
from embodio.model.weights.weights import load_state
from tests.support.model.formula_networks import (
    Attention,
    assert_summary,
    formula_batch,
    formula_weight,
    small_config,
)
from tests.support.model.golden_network import OWN_FOLDER

VARIANTS: dict[str, Attention] = {"qk_norm_resampler": "qk_norm", "scaled_cosine_resampler": "cosine"}


@functools.lru_cache
def formula_network(variant: str) -> tuple[UnifiedIO2, dict[str, Any]]:
    model = UnifiedIO2(small_config(VARIANTS[variant])).eval()
    shapes = {
        name: tuple(tensor.shape) for name, tensor in to_reference_state(model.config, model.state_dict()).items()
    }
    state = {name: formula_weight(name, shape) for name, shape in shapes.items()}
    load_state(model, from_reference_state(model.config, state).state)
    return model, json.loads((OWN_FOLDER / "uio2-golden.json").read_text(encoding="utf-8"))[variant]


@pytest.mark.parametrize("variant", VARIANTS)
def test_embeddings_and_positions(variant: str) -> None:
    model, expected = formula_network(variant)
    with torch.no_grad():
        parts = model.embed_inputs(formula_batch())
    for name, tokens in parts.items():
        embeddings = tokens.embeddings.clone()
        positions = interleave(tokens.rotary).expand(2, -1, -1)
        assert_summary(positions, expected[f"rope.{name}"])
        flat, summary = embeddings.flatten(), expected[f"embed.{name}"]
        assert list(embeddings.shape) == summary["shape"]
        assert flat[:6].tolist() == pytest.approx(summary["first"], abs=1e-4)
        if tokens.mask is None or bool(tokens.mask.all()):
            assert_summary(embeddings, summary)


@pytest.mark.parametrize("variant", VARIANTS)
def test_encoder(variant: str) -> None:
    model, expected = formula_network(variant)
    with torch.no_grad():
        encoded = model.encode(formula_batch())
    assert encoded.length == expected["enc_seq_len"]
    assert encoded.embeddings.flatten()[:6].tolist() == pytest.approx(expected["encoder_out"]["first"], abs=1e-4)
    assert encoded.embeddings.flatten()[-6:].tolist() == pytest.approx(expected["encoder_out"]["last"], abs=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_text_logits_and_loss(variant: str) -> None:
    model, expected = formula_network(variant)
    with torch.no_grad():
        outputs = model(formula_batch())
        loss = model.loss(outputs).modalities["text"]
    logits = outputs["text"].logits.flatten()
    assert logits[:6].tolist() == pytest.approx(expected["logits.text"]["first"], abs=1e-4)
    assert int(loss.weight) == expected["loss.text"]["n"]
    assert loss.cross_entropy.item() == pytest.approx(expected["loss.text"]["ce"], abs=1e-4)
    assert loss.z_loss.item() == pytest.approx(expected["loss.text"]["z"], rel=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("target", ["image", "audio"])
def test_first_codes(variant: str, target: str) -> None:
    """The first logits depend on the start token alone, and the later ones only on the listed codes before them."""
    model, expected = formula_network(variant)
    codes = torch.tensor(expected[f"targets.{target}"]["first"])
    batch = {key: value for key, value in formula_batch().items() if key.startswith("inputs/")}
    with torch.no_grad():
        logits = model(batch | {f"targets/{target}/tokens": codes.expand(2, -1)})[target].logits
    assert logits.flatten()[:6].tolist() == pytest.approx(expected[f"logits.{target}"]["first"], abs=1e-4)

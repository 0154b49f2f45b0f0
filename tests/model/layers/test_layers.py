"""Dropout, gated MLP and attention masks behave as documented."""

import torch

from embodio.model import ModelConfig, TokenSequence, UnifiedIO2
from embodio.model.config.parts import TransformerConfig
from embodio.model.layers.attention import CrossAttention
from embodio.model.layers.layers import Dropout, GatedMLP
from embodio.model.layers.token_sequence import concatenate, cross_attention_mask, self_attention_mask
from embodio.model.network.transformer import Encoder


def tokens(length: int, mask: torch.Tensor | None = None, segments: torch.Tensor | None = None) -> TokenSequence:
    return TokenSequence(torch.randn(2, length, 8), torch.ones(1, length, 2, dtype=torch.complex64), mask, segments)


def test_dropout_drops_whole_channels_in_training_only() -> None:
    torch.manual_seed(0)
    dropout, x = Dropout(0.5), torch.ones(3, 7, 64)
    dropped = dropout(x)
    assert torch.equal(dropped, dropped[:, :1].expand(-1, 7, -1))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropout.eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_dropout_of_the_configuration_reaches_encoder_and_decoder() -> None:
    config = ModelConfig.named("nano", vocab_size=128)
    sizes = {**config.to_dict()["transformer"], "dropout_rate": 0.25}
    model = UnifiedIO2(config.replace(transformer=TransformerConfig(**sizes)))
    rates = {name.split(".")[0]: module.rate for name, module in model.named_modules() if isinstance(module, Dropout)}
    assert rates == {"encoder": 0.25, "decoder": 0.25}
    batch = {"inputs/text/tokens": torch.arange(6).view(1, 6), "targets/text/targets": torch.arange(5).view(1, 5)}
    first, second = model(batch)["text"].logits, model(batch)["text"].logits
    assert not torch.equal(first, second)
    model.eval()
    assert torch.equal(model(batch)["text"].logits, model(batch)["text"].logits)


def test_gated_mlp_is_silu_of_gate_times_up() -> None:
    mlp, x = GatedMLP(8, 12), torch.randn(2, 3, 8)
    gate, up = mlp.gate_up.weight.chunk(2)
    expected = (torch.nn.functional.silu(x @ gate.t()) * (x @ up.t())) @ mlp.down.weight.t()
    assert torch.allclose(mlp(x), expected, atol=1e-6)


def test_cosine_attention_ignores_lengths_and_caps_its_scale() -> None:
    torch.manual_seed(0)
    attention, x, context = CrossAttention(8, 2, 4, "cosine"), torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    with torch.no_grad():
        values = attention.keys_values(context)[1]
        first = attention(x, (attention.keys_values(context)[0], values))
        assert torch.allclose(attention(3 * x, (attention.keys_values(context)[0], values)), first, atol=1e-6)
        attention.logit_scale.fill_(10.0)
        capped = attention(x, attention.keys_values(context))
        attention.logit_scale.fill_(20.0)
        assert torch.equal(attention(x, attention.keys_values(context)), capped)


def test_masks() -> None:
    valid = torch.tensor([[True, False, True], [False, False, False]])
    assert self_attention_mask(tokens(3)) is None
    assert cross_attention_mask(None) is None
    allowed = self_attention_mask(tokens(3, valid), causal=True)
    assert allowed is not None
    assert allowed[0, 0].tolist() == [[True, False, False], [True, True, False], [True, False, True]]
    assert allowed[1, 0].tolist() == torch.eye(3, dtype=torch.bool).tolist()
    crossed = cross_attention_mask(valid)
    assert crossed is not None
    assert crossed[:, 0, 0].tolist() == [[True, False, True], [True, True, True]]


def test_joining_sequences() -> None:
    valid = torch.tensor([[True, False], [True, True]])
    joined = concatenate([tokens(3), tokens(2, valid)])
    assert joined.length == 5
    assert joined.segments is None
    assert joined.full_mask().tolist() == [[True, True, True, True, False], [True] * 5]
    apart = concatenate([tokens(1), tokens(2, segments=torch.tensor([[0, 1], [1, 1]]))], separate=True)
    assert apart.mask is None
    assert apart.segments is not None
    assert apart.segments.tolist() == [[0, 1, 3], [0, 3, 3]]


def test_segments_keep_tokens_apart() -> None:
    """Two sequences joined in one row with segments give what each gives alone."""
    torch.manual_seed(0)
    config = TransformerConfig(
        vocab_size=8, emb_dim=8, num_heads=2, head_dim=4, num_encoder_layers=2, num_decoder_layers=1, mlp_dim=16
    )
    encoder = Encoder(config)
    first, second = tokens(3), tokens(4)
    with torch.no_grad():
        expected = torch.cat([encoder(part).embeddings for part in (first, second)], dim=1)
        found = encoder(concatenate([first, second], separate=True)).embeddings
    assert torch.allclose(found, expected, atol=1e-6)

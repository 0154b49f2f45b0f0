"""Counters of a network: parameters, floating-point operations and kept activations, computed from its configuration.

They count what dominates: products of matrices (2 m n k operations each) and attention. Norms, activations and rotary
embeddings are a few operations a number and are left out. A size can be planned with them that fits no machine here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import ImageTowerConfig, ResamplerConfig, TowerConfig, TransformerConfig
from embodio.model.errors import ConfigError
from embodio.model.layers.ast import LEADING_TOKENS

BACKWARD = 2
"""Operations of a backward pass over those of its forward pass: a gradient of the input, and one of the weight."""


@dataclass(frozen=True, kw_only=True)
class ExampleSize:
    """The size of one example, or of a packed row of several: tokens, and patches of images and sounds.

    Attributes:
        text: tokens of the prompt.
        image: patches of the main image; audio those of the main sound.
        image_history: patches of each frame; audio_history those of each earlier sound.
        text_target: tokens of the answer; image_target and audio_target codes.
    """

    text: int = 0
    image: int = 0
    image_history: tuple[int, ...] = ()
    audio: int = 0
    audio_history: tuple[int, ...] = ()
    text_target: int = 0
    image_target: int = 0
    audio_target: int = 0

    @classmethod
    def largest(cls, config: ModelConfig) -> ExampleSize:
        """The largest example that a network takes, with all of its modalities."""
        lengths, sampling, inputs = config.lengths, config.sampling, config.input_modalities
        found: dict[str, int | tuple[int, ...]] = {"text": lengths.encoder_text}
        for name in inputs[1:] if inputs[0] == "text" else inputs:
            grid = config.patch_grids[name]
            count = min(grid[0] * grid[1], getattr(sampling, f"{name}_patches"))
            found[name] = (count,) * sampling.num_frames if name.endswith("_history") else count
        for name in config.target_modalities:
            found[f"{name}_target"] = getattr(lengths, f"decoder_{name}")
        return cls(**found)  # type: ignore[arg-type]

    def encoder_tokens(self, config: ModelConfig) -> int:
        """Tokens that the encoder of the transformer reads."""
        latents = 0
        for name in ("image_history", "audio_history"):
            if frames := len(getattr(self, name)):
                latents += frames * _resampler(config, name).num_latents
        return self.text + self.image + self.audio + latents

    @property
    def decoder_tokens(self) -> int:
        """Tokens that the decoder writes."""
        return self.text_target + self.image_target + self.audio_target


@dataclass(frozen=True)
class Cost:
    """The cost of one part of a network for one example.

    Attributes:
        forward: floating-point operations of a forward pass.
        kept: numbers that a training step keeps from the forward pass for the backward pass.
        inputs: numbers that it keeps if the part is computed again in the backward pass (activation checkpointing).
        learns: whether its weights have gradients.
        spared: operations of the backward pass that are not done, as an input is data or a weight is frozen.
    """

    forward: int = 0
    kept: int = 0
    inputs: int = 0
    learns: bool = True
    spared: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.forward + other.forward,
            self.kept + other.kept,
            self.inputs + other.inputs,
            self.learns and other.learns,
            self.spared + other.spared,
        )

    def times(self, count: int) -> Cost:
        """The cost of several such parts."""
        return Cost(self.forward * count, self.kept * count, self.inputs * count, self.learns, self.spared * count)

    @property
    def training(self) -> int:
        """Floating-point operations of a forward and a backward pass; nothing is computed twice."""
        return self.forward * (1 + BACKWARD) - self.spared if self.learns else self.forward


@dataclass(frozen=True)
class NetworkCost:
    """The cost of one example.

    Attributes:
        parts: name of a part, such as "encoder" or "towers.image" -> its cost.
    """

    parts: Mapping[str, Cost] = field(default_factory=dict)

    @property
    def forward(self) -> int:
        """Floating-point operations of a forward pass."""
        return sum(part.forward for part in self.parts.values())

    @property
    def training(self) -> int:
        """Floating-point operations of a forward and a backward pass."""
        return sum(part.training for part in self.parts.values())

    def kept(self, *, checkpointing: bool = False) -> int:
        """Numbers kept for the backward pass; with activation checkpointing, only what each layer began with."""
        return sum(part.inputs if checkpointing else part.kept for part in self.parts.values())


def parameter_counts(config: ModelConfig) -> dict[str, int]:
    """Parameters of each part of a network, without its tokenisers, which are not trained with it."""
    model, dim = config.transformer, config.transformer.emb_dim
    width, hidden = model.num_heads * model.head_dim, model.mlp_dim
    attention, mlp, heads = 4 * dim * width, 3 * dim * hidden, 2 * model.head_dim
    found = {
        "text_embedding": model.vocab_size * dim,
        "encoder": model.num_encoder_layers * (attention + mlp + heads + 2 * dim) + dim,
        "decoder": model.num_decoder_layers * (2 * attention + mlp + 2 * heads + 3 * dim) + dim,
    }
    for name in ("image", "audio"):
        if name in config.target_modalities:
            found[f"{name}_code_embedding"] = getattr(config, f"{name}_vocab_size") * dim
        tower: TowerConfig | None = getattr(config, f"{name}_tower")
        if tower is not None and {name, f"{name}_history"} & set(config.input_modalities):
            found[f"towers.{name}"] = _tower_parameters(tower)
    for name in config.input_modalities:
        found[f"inputs.{name}"] = dim + _input_parameters(config, name)
    for name in config.target_modalities:
        found[f"targets.{name}"] = dim
    return found


def network_cost(config: ModelConfig, size: ExampleSize) -> NetworkCost:
    """The cost of one example, part by part.

    Args:
        config: of the network.
        size: of the example; of a packed row, the sum over its examples, whose attention is then counted over the whole
            row.

    Raises:
        ConfigError: the example has a modality that the network lacks.
    """
    _check(config, size)
    model = config.transformer
    encoder_tokens, decoder_tokens = size.encoder_tokens(config), size.decoder_tokens
    encoder = _encoder_layer(model, encoder_tokens).times(model.num_encoder_layers)
    decoder = _decoder_layer(model, decoder_tokens, encoder_tokens).times(model.num_decoder_layers)
    parts = {
        "encoder": encoder + _norm(encoder_tokens, model.emb_dim),
        "decoder": decoder + _norm(decoder_tokens, model.emb_dim),
    }
    for name in ("image", "audio"):
        single: int = getattr(size, name)
        history: tuple[int, ...] = getattr(size, f"{name}_history")
        tower: TowerConfig | None = getattr(config, f"{name}_tower")
        learns = not config.freeze_vit
        if tower is not None and (single or history):
            runs = [_tower(tower, count, learns=learns) for count in (*history, *([single] * (single > 0)))]
            parts[f"towers.{name}"] = sum(runs[1:], runs[0])
            if single:
                parts[f"inputs.{name}"] = _first(_product(single, 2 * tower.emb_dim, model.emb_dim), not learns)
            if history:
                resampler = _resampler(config, f"{name}_history")
                found = [_history(resampler, tower, model.emb_dim, count, learns) for count in history]
                parts[f"inputs.{name}_history"] = sum(found, Cost())
    for name in config.target_modalities:
        rows = model.vocab_size if name == "text" else getattr(config, f"{name}_vocab_size")
        if tokens := getattr(size, f"{name}_target"):
            logits = _product(tokens, model.emb_dim, rows)
            softmax = tokens * rows
            parts[f"logits.{name}"] = Cost(logits.forward, logits.kept + softmax, logits.kept + softmax)
    return NetworkCost(parts)


def low_rank_cost(config: ModelConfig, size: ExampleSize, rank: int) -> NetworkCost:
    """The cost of one example where only low-rank changes of the linear maps of encoder and decoder are trained.

    Weights have no gradients then, and what comes before the encoder has no backward pass.

    Args:
        config: of the network.
        size: of the example, as in `network_cost`.
        rank: of the changes.
    """
    parts = dict(network_cost(config, size).parts)
    maps = _linear_maps(config.transformer, size.encoder_tokens(config), size.decoder_tokens)
    for name, part in parts.items():
        if name in maps:
            products = [_product(tokens, inputs, outputs) for tokens, inputs, outputs in maps[name]]
            down = [_product(tokens, inputs, rank) for tokens, inputs, _ in maps[name]]
            up = [_product(tokens, rank, outputs) for tokens, _, outputs in maps[name]]
            layers = getattr(config.transformer, f"num_{name}_layers")
            forward = part.forward + layers * sum(one.forward for one in (*down, *up))
            kept = part.kept + layers * sum(one.kept for one in up)
            first = products[0].forward + down[0].forward  # embeddings need no gradient
            spared = layers * sum(one.forward for one in products) + first
            parts[name] = Cost(forward, kept, part.inputs, spared=spared)
        elif name.startswith("logits."):
            parts[name] = replace(part, spared=part.forward)
        else:
            parts[name] = Cost(part.forward, learns=False)
    return NetworkCost(parts)


def low_rank_parameters(config: ModelConfig, rank: int) -> int:
    """Numbers of low-rank changes of all linear maps of encoder and decoder."""
    model, found = config.transformer, 0
    for name, maps in _linear_maps(model, 1, 1).items():
        layers: int = getattr(model, f"num_{name}_layers")
        found += layers * sum(rank * (inputs + outputs) for _, inputs, outputs in maps)
    return found


def _linear_maps(model: TransformerConfig, context: int, tokens: int) -> dict[str, list[tuple[int, int, int]]]:
    """Tokens, inputs and outputs of each linear map of a layer of the encoder, and of the decoder; the first one first.

    Args:
        model: of the transformer.
        context: tokens of the encoder.
        tokens: of the decoder.
    """
    dim, width, hidden = model.emb_dim, model.num_heads * model.head_dim, model.mlp_dim

    def layer(count: int) -> list[tuple[int, int, int]]:
        ends = [(count, dim, 2 * hidden), (count, hidden, dim)]
        return [(count, dim, 3 * width), (count, width, dim), *ends]

    crossed = [(tokens, dim, width), (context, dim, 2 * width), (tokens, width, dim)]
    return {"encoder": layer(context), "decoder": [*layer(tokens), *crossed]}


def _check(config: ModelConfig, size: ExampleSize) -> None:
    known = {*config.input_modalities, *(f"{name}_target" for name in config.target_modalities)}
    for item in fields(size):
        if getattr(size, item.name) and item.name not in known:
            raise ConfigError(f"this network has no {item.name}; it has {', '.join(sorted(known))}")


def _resampler(config: ModelConfig, name: str) -> ResamplerConfig:
    found: ResamplerConfig | None = getattr(config, name)
    if found is None:
        raise ConfigError(f"this network has no {name}")
    return found


def _product(tokens: int, inputs: int, outputs: int) -> Cost:
    """A linear map: its input is kept for the gradient of its weight."""
    return Cost(2 * tokens * inputs * outputs, tokens * inputs, tokens * inputs)


def _first(product: Cost, is_first: bool) -> Cost:
    """A linear map, which may be of data: then its input needs no gradient."""
    return replace(product, spared=product.forward) if is_first else product


def _norm(tokens: int, dim: int) -> Cost:
    """A norm: it keeps the normalised input and a factor for each token."""
    return Cost(0, tokens * (dim + 1), tokens * (dim + 1))


def _attention(queries: int, keys: int, width: int, heads: int) -> Cost:
    """Softmax attention of a fused kernel, which keeps queries, keys, values, output and a number for each query."""
    return Cost(4 * queries * keys * width, 2 * (queries + keys) * width + queries * heads)


def _encoder_layer(model: TransformerConfig, tokens: int) -> Cost:
    dim, width, heads = model.emb_dim, model.num_heads * model.head_dim, model.num_heads
    norms = 2 * tokens * (dim + 1) + 2 * tokens * (width + heads)  # of the layer; of queries and keys
    norms += 2 * tokens * width  # values are a view of the fused projection, all of which stays
    found = _product(tokens, dim, 3 * width) + _attention(tokens, tokens, width, heads) + _product(tokens, width, dim)
    found += _product(tokens, dim, 2 * model.mlp_dim) + _product(tokens, model.mlp_dim, dim)
    kept = found.kept - tokens * width + norms + 3 * tokens * model.mlp_dim  # the output of attention is kept once
    return Cost(found.forward, kept, tokens * dim)


def _decoder_layer(model: TransformerConfig, tokens: int, context: int) -> Cost:
    dim, width, heads = model.emb_dim, model.num_heads * model.head_dim, model.num_heads
    found = _product(tokens, dim, width) + _product(context, dim, 2 * width) + _product(tokens, width, dim)
    found += _attention(tokens, context, width, heads)
    norms = tokens * (dim + 1) + (tokens + context) * (width + heads) + context * width
    kept = found.kept - tokens * width - context * dim + norms  # all layers share the encoder's output
    return _encoder_layer(model, tokens) + Cost(found.forward, kept)


def _tower(tower: TowerConfig, patches: int, *, learns: bool) -> Cost:
    """One image or sound through a tower; a frozen one keeps nothing."""
    dim, width, heads = tower.emb_dim, tower.num_heads * tower.head_dim, tower.num_heads
    image = isinstance(tower, ImageTowerConfig)
    tokens = patches + (1 if image else LEADING_TOKENS)
    block = _product(tokens, dim, 3 * width) + _attention(tokens, tokens, width, heads) + _product(tokens, width, dim)
    block += _product(tokens, dim, tower.mlp_dim) + _product(tokens, tower.mlp_dim, dim)
    kept = block.kept - tokens * width + 2 * tokens * (dim + 2) + tokens * tower.mlp_dim
    found = Cost(block.forward, kept, tokens * dim).times(tower.num_layers)
    found += _first(_product(patches, _patch_numbers(tower), dim), True)
    if image:
        found += _norm(tokens, dim)
    return found if learns else Cost(found.forward, 0, 0, learns=False)


def _history(resampler: ResamplerConfig, tower: TowerConfig, dim: int, patches: int, learns: bool) -> Cost:
    """One frame through the resampler, after the tower, which learns or not."""
    inner, width, latents = resampler.emb_dim, resampler.num_heads * resampler.head_dim, resampler.num_latents
    heads = resampler.num_heads
    layer = _product(latents, inner, width) + _product(patches, inner, 2 * width) + _product(latents, width, inner)
    layer += _attention(latents, patches, width, heads)
    layer += _product(latents, inner, resampler.mlp_dim) + _product(latents, resampler.mlp_dim, inner)
    norms = 2 * latents * (inner + 1) + (latents + patches) * (width + heads) + latents * resampler.mlp_dim
    kept = layer.kept - latents * width - patches * inner + norms
    found = Cost(layer.forward, kept, latents * inner).times(resampler.num_layers)
    shared = patches * (2 * inner + 1) + latents * (inner + 1)  # the norm of the frame, which all layers read
    ends = _first(_product(patches, tower.emb_dim, inner), not learns) + _product(latents, inner, dim)
    return found + ends + Cost(0, shared, shared)


def _tower_parameters(tower: TowerConfig) -> int:
    dim, width = tower.emb_dim, tower.num_heads * tower.head_dim
    block = 4 * dim * width + 3 * width + dim + 2 * dim * tower.mlp_dim + tower.mlp_dim + dim + 4 * dim
    found = tower.num_layers * block + _patch_numbers(tower) * dim
    if isinstance(tower, ImageTowerConfig):
        rows, columns = tower.position_grid
        return found + (1 + 1 + rows * columns) * dim + 2 * dim
    positions: int = getattr(tower, "num_positions", 0)
    return found + (positions + LEADING_TOKENS) * dim + dim


def _patch_numbers(tower: TowerConfig) -> int:
    return tower.patch_size**2 * (3 if isinstance(tower, ImageTowerConfig) else 1)


def _input_parameters(config: ModelConfig, name: str) -> int:
    """Parameters of an input besides its modality vector."""
    dim = config.transformer.emb_dim
    tower: TowerConfig | None = getattr(config, f"{name.partition('_')[0]}_tower", None)
    if name == "text" or tower is None:
        return 0
    if not name.endswith("_history"):
        return 2 * tower.emb_dim * dim
    one = _resampler(config, name)
    inner, width = one.emb_dim, one.num_heads * one.head_dim
    own = {"qk_norm": 2 * one.head_dim, "cosine": one.num_heads, "plain": 0}[one.attention]
    layer = 4 * inner * width + own + 2 * inner * one.mlp_dim + 2 * inner
    return tower.emb_dim * inner + one.num_latents * inner + one.num_layers * layer + 2 * inner + inner * dim

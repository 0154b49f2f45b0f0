"""The reference's names of the two tokenisers' tensors, for the table in `reference_layout`.

Each entry says which of the reference's tensors, joined along the first axis, make one of ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from embodio.model.config.parts import AudioTokenizerConfig, ImageTokenizerConfig

TOKENIZER_PREFIXES = ("target_embedders.image.vqgan.", "target_embedders.audio.vqgan.")

Entry = tuple[str, tuple[str, ...]]
"""Our name, and the reference's names of its parts."""


def image_tokenizer_entries(config: ImageTokenizerConfig, ours: str, theirs: str) -> Iterator[Entry]:
    """Entries of the VQ-GAN; `ours` and `theirs` are the prefixes of the names."""
    yield f"{ours}.codebook", (f"{theirs}.quantize.embedding.weight",)
    yield from _weight_and_bias(f"{ours}.before_codes", f"{theirs}.quant_conv")
    yield from _weight_and_bias(f"{ours}.after_codes", f"{theirs}.post_quant_conv")
    widths = [config.channels * factor for factor in config.channel_multipliers]
    lowest = len(widths) - 1
    for side in ("encoder", "decoder"):
        mine, other = f"{ours}.{side}", f"{theirs}.{side}"
        yield from _weight_and_bias(f"{mine}.first", f"{other}.conv_in")
        yield from _weight_and_bias(f"{mine}.norm", f"{other}.norm_out")
        yield from _weight_and_bias(f"{mine}.last", f"{other}.conv_out")
        for index in (1, 2):
            yield from _residual_block(f"{mine}.middle.block_{index}", f"{other}.mid_block_{index}", False)
        yield from _pixel_attention(f"{mine}.middle.attention", f"{other}.mid_attn_1")
    before = [config.channels, *widths[:-1]]
    for level, width in enumerate(widths):
        attention = config.resolution // 2**level in config.attention_resolutions
        mine, other = f"{ours}.encoder.levels.{level}", f"{theirs}.encoder.down_{level}"
        yield from _blocks(mine, other, config.num_res_blocks, before[level] != width, attention)
        if level < lowest:
            yield from _weight_and_bias(f"{ours}.encoder.halvings.{level}", f"{other}_downsample.conv")
    for level, width in enumerate(reversed(widths)):
        attention = config.resolution // 2 ** (lowest - level) in config.attention_resolutions
        mine, other = f"{ours}.decoder.levels.{level}", f"{theirs}.decoder.up_{level}"
        changes = level > 0 and widths[lowest - level + 1] != width
        yield from _blocks(mine, other, config.num_res_blocks + 1, changes, attention)
        if level < lowest:
            yield from _weight_and_bias(f"{ours}.decoder.doublings.{level}", f"{other}_upsample.conv")


def audio_tokenizer_entries(config: AudioTokenizerConfig, ours: str, theirs: str) -> Iterator[Entry]:
    """Entries of the ViT-VQ-GAN; `ours` and `theirs` are the prefixes of the names."""
    yield f"{ours}.codebook", (f"{theirs}.quantize.embedding.weight",)
    yield from _weight_and_bias(f"{ours}.encoder.embedding", f"{theirs}.encoder.embedding")
    yield f"{ours}.encoder.projection.weight", (f"{theirs}.encoder.encoder_proj.weight",)
    yield f"{ours}.encoder.code_bias", (f"{theirs}.encoder.encoder_norm.bias",)
    yield f"{ours}.decoder.projection.weight", (f"{theirs}.decoder.decoder_proj.weight",)
    yield f"{ours}.decoder.patches.weight", (f"{theirs}.decoder.conv_transpose.weight",)
    for side, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        yield from _weight_and_bias(f"{ours}.{side}.norm", f"{theirs}.{side}.transformer.encoder_norm")
        for index in range(layers):
            mine = f"{ours}.{side}.blocks.{index}"
            other = f"{theirs}.{side}.transformer.encoderblock_{index}"
            parts = tuple(f"{other}.attn.{part}.weight" for part in ("query", "key", "value"))
            yield f"{mine}.query_key_value.weight", parts
            yield f"{mine}.out.weight", (f"{other}.attn.out.weight",)
            names = {"attention_norm": "ln_1", "mlp_norm": "ln_2", "up": "mlp.fc1", "down": "mlp.fc2"}
            for name, their_name in names.items():
                yield from _weight_and_bias(f"{mine}.{name}", f"{other}.{their_name}")


def _weight_and_bias(ours: str, *theirs: str) -> Iterator[Entry]:
    for kind in ("weight", "bias"):
        yield f"{ours}.{kind}", tuple(f"{name}.{kind}" for name in theirs)


def _blocks(ours: str, theirs: str, count: int, changes_width: bool, attention: bool) -> Iterator[Entry]:
    for index in range(count):
        shortcut = changes_width and index == 0
        yield from _residual_block(f"{ours}.blocks.{index}", f"{theirs}_block_{index}", shortcut)
        if attention:
            yield from _pixel_attention(f"{ours}.attentions.{index}", f"{theirs}_attn_{index}")


def _residual_block(ours: str, theirs: str, shortcut: bool) -> Iterator[Entry]:
    for index in (1, 2):
        yield from _weight_and_bias(f"{ours}.norm_{index}", f"{theirs}.norm{index}")
        yield from _weight_and_bias(f"{ours}.convolution_{index}", f"{theirs}.conv{index}")
    if shortcut:
        yield from _weight_and_bias(f"{ours}.shortcut", f"{theirs}.nin_shortcut")


def _pixel_attention(ours: str, theirs: str) -> Iterator[Entry]:
    yield from _weight_and_bias(f"{ours}.norm", f"{theirs}.norm")
    yield from _weight_and_bias(f"{ours}.query_key_value", f"{theirs}.q", f"{theirs}.k", f"{theirs}.v")
    yield from _weight_and_bias(f"{ours}.out", f"{theirs}.proj_out")

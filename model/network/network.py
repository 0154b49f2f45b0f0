"""UnifiedIO2: the whole network, from a batch of features to logits, and the entry points of decoding."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from embodio.model.config.model import ModelConfig
from embodio.model.errors import BatchError, ConfigError
from embodio.model.inference.decoding import DecoderState, decode_step, start_decoding
from embodio.model.layers.ast import AudioTower
from embodio.model.layers.layers import linear
from embodio.model.layers.token_sequence import TokenSequence, concatenate
from embodio.model.layers.vit import ImageTower
from embodio.model.network.batch import POSITIONS, Batch, check_input, check_rows, check_target
from embodio.model.network.inputs import Fields, HistoryInput, PatchInput, TextInput
from embodio.model.network.loss import ALIKE, Z_LOSS, LossOutput, TargetOutput, Weighting, compute_loss
from embodio.model.network.packing import KEYS, ROWS, moved, packings
from embodio.model.network.targets import CODE_OFFSET, CodeTarget, Target, TextTarget, Tokenizer
from embodio.model.network.transformer import Decoder, Encoder
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer

_FIELDS = {
    "inputs/text": ("tokens", "mask", "pos_ids"),
    "inputs/image": ("input", "mask", "pos_ids"),
    "inputs/image_history": ("input", "mask", "pos_ids"),
    "inputs/audio": ("input", "mask", "pos_ids"),
    "inputs/audio_history": ("input", "mask", "pos_ids"),
    "targets/text": ("targets", "inputs", "mask", "loss_mask", "pos_ids", "segment_ids"),
    "targets/image": ("tokens", "image", "mask", "loss_mask", "task_mask"),
    "targets/audio": ("tokens", "audio", "mask", "loss_mask", "task_mask"),
}


class UnifiedIO2(nn.Module):
    """One encoder-decoder over text, images, sound and their histories (arXiv 2312.17172).

    The network owns the towers and passes them to the inputs that use them. It is built with random weights following
    the JAX original's initialisation; `embodio.model.load` loads trained ones.
    """

    def __init__(self, config: ModelConfig, *, tokenizers: bool = False) -> None:
        """Build a network with random weights.

        Args:
            config: what to build.
            tokenizers: also build the frozen VQ tokenisers of the image and audio targets, which then may be given raw
                and which `render` can turn back into images and spectrograms.
        """
        super().__init__()
        self.config = config
        dim = config.transformer.emb_dim
        self.text_embedding = nn.Embedding(config.transformer.vocab_size, dim)
        if "image" in config.target_modalities:
            self.image_code_embedding = nn.Embedding(config.image_vocab_size, dim)
        if "audio" in config.target_modalities:
            self.audio_code_embedding = nn.Embedding(config.audio_vocab_size, dim)
        self.towers = nn.ModuleDict()
        if config.image_tower is not None and {"image", "image_history"} & set(config.input_modalities):
            self.towers["image"] = ImageTower(config.image_tower)
        if config.audio_tower is not None and {"audio", "audio_history"} & set(config.input_modalities):
            self.towers["audio"] = AudioTower(config.audio_tower)
        if config.freeze_vit:
            self.towers.requires_grad_(False)
        self.inputs = nn.ModuleDict({name: _build_input(config, name) for name in config.input_modalities})
        self.targets = nn.ModuleDict({name: _build_target(config, name) for name in config.target_modalities})
        self.encoder = Encoder(config.transformer)
        self.decoder = Decoder(config.transformer)
        self.tokenizers = nn.ModuleDict(_build_tokenizers(config) if tokenizers else {})
        self.tokenizers.requires_grad_(False)

    def table(self, modality: str) -> Tensor:
        """The embedding table [V, D] of a target modality; its rows are also the output weights."""
        name = "text_embedding" if modality == "text" else f"{modality}_code_embedding"
        weight: Tensor = getattr(self, name).weight
        return weight

    def target(self, modality: str) -> TextTarget | CodeTarget:
        """The module of a target modality."""
        return cast(TextTarget | CodeTarget, self.targets[modality])

    def embed_inputs(self, batch: Batch) -> dict[str, TokenSequence]:
        """Tokens of every input in the batch, keyed by modality, in encoder order.

        Raises:
            BatchError: no input at all, a key that is not known, or a modality that this model was not built with.
        """
        fields = _split(batch, self.config)["inputs"]
        parts = {}
        for name in self.config.input_modalities:
            if name in fields:
                check_input(name, fields[name], self.config)
                lent = self.table("text") if name == "text" else self.towers[name.split("_")[0]]
                parts[name] = self.inputs[name](fields[name], lent)
        if not parts:
            raise BatchError(f"the batch has no inputs; give at least one of {self.config.input_modalities}")
        return parts

    def encode(self, batch: Batch) -> TokenSequence:
        """Encode the inputs of a batch; target keys in it are ignored.

        Returns:
            The encoder's output [B, L, D] with mask and positions; L runs over the inputs in config order.
        """
        encoded: TokenSequence = self.encoder(concatenate(list(self.embed_inputs(batch).values())))
        return encoded

    def embed_targets(self, batch: Batch) -> dict[str, Target]:
        """Decoder side of every target in the batch, keyed by modality, in decoder order."""
        fields = _split(batch, self.config)["targets"]
        names = [name for name in self.config.target_modalities if name in fields]
        if not names:
            raise BatchError(f"the batch has no targets; give at least one of {self.config.target_modalities}")
        return {name: self._embed_target(name, fields[name]) for name in names}

    def _embed_target(self, name: str, fields: Fields) -> Target:
        check_target(name, fields, self.config)
        if name in self.tokenizers:
            target: Target = self.targets[name](fields, self.table(name), self.tokenizers[name])
        else:
            target = self.targets[name](fields, self.table(name))
        return target

    @torch.no_grad()
    def render(self, ids: Tensor, modality: str, *, clip: bool = False) -> Tensor:
        """Decode the ids of an image or audio target.

        Args:
            ids: int [B, L], codes plus 2, a whole grid per row.
            modality: "image" or "audio".
            clip: move ids that stand for no code (the first two, and those after the last code) to the nearest that
                does, as the reference does, which may draw them; by default they are errors, and `generate` never
                draws them.

        Returns:
            Images [B, H, W, 3] in [0, 1], or normalised log-mel spectrograms [B, T, M, 1] as in "targets/audio/audio".

        Raises:
            BatchError: the model has no such tokeniser, or the ids have a wrong length or are out of range.
        """
        if modality not in self.tokenizers:
            raise BatchError(
                f"this model has no tokeniser of {modality!r} (it has {list(self.tokenizers)}); "
                "load it with tokenizers=True"
            )
        tokenizer = cast(Tokenizer, self.tokenizers[modality])
        codes = ids - CODE_OFFSET
        raw = tokenizer.decode(codes.clamp(0, tokenizer.config.num_codes - 1) if clip else codes)
        return raw.add(1.0).div(2.0).clamp(0.0, 1.0) if modality == "image" else raw

    def logits(self, hidden: Tensor, modality: str) -> Tensor:
        """Tied logits [..., V] of decoder states [..., D], divided by sqrt(D); see `ModelConfig.logits_dtype`."""
        table, scale = self.table(modality), self.config.transformer.emb_dim**-0.5
        if self.config.logits_dtype == "parameter":
            return linear(hidden * scale, table)
        hidden, table = hidden.float() * scale, table.float()
        if not torch.is_autocast_enabled(hidden.device.type):
            return linear(hidden, table)
        with torch.autocast(hidden.device.type, enabled=False):
            return linear(hidden, table)

    def forward(self, batch: Batch) -> dict[str, TargetOutput]:
        """Teacher-forced logits of every target in the batch, keyed by its own modality.

        With "packing/rows" int [B] in the batch, the transformer runs on packed rows (`embodio.model.network.packing`),
        and only valid positions get logits, the same as unpacked.

        Args:
            batch: see `Batch`; the fields of each modality are described in `embodio.model.network.inputs` and
                `embodio.model.network.targets`.
        """
        inputs = concatenate(list(self.embed_inputs(batch).values()))
        targets = self.embed_targets(batch)
        tokens = concatenate([target.tokens for target in targets.values()], separate=True)
        if ROWS in batch:
            return self._packed(batch, inputs, targets, tokens)
        pieces = self.decoder(tokens, self.encoder(inputs)).split(
            [target.tokens.length for target in targets.values()], dim=1
        )
        return {
            name: TargetOutput(self.logits(piece, name), target.ids, target.loss_mask)
            for (name, target), piece in zip(targets.items(), pieces, strict=True)
        }

    def _packed(
        self, batch: Batch, inputs: TokenSequence, targets: Mapping[str, Target], tokens: TokenSequence
    ) -> dict[str, TargetOutput]:
        """`forward` on packed rows."""
        reading, writing = packings(inputs, tokens, batch)
        hidden = self.decoder(writing.pack(tokens), self.encoder(reading.pack(inputs))).flatten(0, 1)
        places = writing.places.split([target.tokens.length for target in targets.values()], dim=1)
        outputs = {}
        for (name, target), own in zip(targets.items(), places, strict=True):
            own = own.flatten()
            valid = (own < len(hidden)).nonzero().squeeze(1)
            found = self.logits(moved(hidden, own[valid]), name)
            outputs[name] = TargetOutput(found, target.ids, target.loss_mask, valid)
        return outputs

    def loss(
        self,
        outputs: Mapping[str, TargetOutput],
        z_loss: float = Z_LOSS,
        weights: Mapping[str, Tensor] | None = None,
        weighting: Weighting = ALIKE,
    ) -> LossOutput:
        """Training loss of `forward`'s outputs; see `embodio.model.network.loss.compute_loss`."""
        return compute_loss(outputs, z_loss, weights, weighting)

    @torch.no_grad()
    def start_decoding(
        self,
        encoded: TokenSequence,
        max_length: int | None = None,
        modality: str = "text",
        task_mask: Tensor | None = None,
    ) -> DecoderState:
        """Prepare token-by-token decoding of one modality; see `embodio.model.inference.decoding.start_decoding`."""
        return start_decoding(self, encoded, max_length, modality, task_mask)

    @torch.no_grad()
    def decode_step(self, state: DecoderState, tokens: Tensor) -> Tensor:
        """Feed decoder inputs int [B, t] and return logits [B, t, V]; see `embodio.model.inference`."""
        return decode_step(self, state, tokens)


def _build_input(config: ModelConfig, name: str) -> nn.Module:
    if name == "text":
        return TextInput(config)
    tower = config.image_tower if name.startswith("image") else config.audio_tower
    if tower is None:
        raise ConfigError(f"the input {name} needs a tower")
    if not name.endswith("_history"):
        return PatchInput(config, name, tower.emb_dim)
    resampler = config.image_history if name == "image_history" else config.audio_history
    if resampler is None:
        raise ConfigError(f"the input {name} needs a resampler")
    return HistoryInput(config, name, tower.emb_dim, resampler)


def _build_target(config: ModelConfig, name: str) -> nn.Module:
    if name == "text":
        return TextTarget(config)
    tokenizer = config.image_tokenizer if name == "image" else config.audio_tokenizer
    if tokenizer is None:
        raise ConfigError(f"the target {name} needs a tokenizer")
    return CodeTarget(config, name, tokenizer.grid)


def _build_tokenizers(config: ModelConfig) -> dict[str, nn.Module]:
    built: dict[str, nn.Module] = {}
    if config.image_tokenizer is not None and "image" in config.target_modalities:
        built["image"] = ImageTokenizer(config.image_tokenizer)
    if config.audio_tokenizer is not None and "audio" in config.target_modalities:
        built["audio"] = AudioTokenizer(config.audio_tokenizer)
    return built


def _split(batch: Batch, config: ModelConfig) -> dict[str, dict[str, Fields]]:
    """Sort the keys of a batch by side and modality; raises BatchError for a key that this model cannot read."""
    sides: dict[str, dict[str, Fields]] = {"inputs": {}, "targets": {}}
    built = {"inputs": config.input_modalities, "targets": config.target_modalities}
    check_rows(batch)
    for key, value in batch.items():
        if key in (*KEYS, POSITIONS):
            continue
        owner, _, name = key.rpartition("/")
        if name not in _FIELDS.get(owner, ()):
            known = [f"{owner}/{name}" for owner, names in _FIELDS.items() for name in names]
            near = difflib.get_close_matches(key, known, n=1)
            raise BatchError(f"the batch has an unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        side, _, modality = owner.partition("/")
        if modality not in built[side]:
            raise BatchError(f"the batch has {key!r} but this model was built with the {side} {built[side]} only")
        sides[side].setdefault(modality, {})[name] = value
    return sides

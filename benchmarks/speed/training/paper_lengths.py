"""Features of random content that are as long as the examples of the paper's pre-training mixture (its Table 10).

They stand for a corpus where there is none: what packing gains depends on the lengths alone. Shares of the groups are
those of the table; which parts of a record are read and which one is written is drawn as section 3.3 says, every
target with the same probability, every other part kept in half of the cases. Half of the patches are kept (appendix
B.4). Lengths of texts are log-normal, cut at what the network reads.
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.parts.spans import UL2, choose_denoiser, hidden_tokens
from embodio.model.config.model import ModelConfig
from embodio.model.network.targets import CODE_OFFSET
from embodio.model.processing.processor import Features
from embodio.model.tokens.vocabulary import EOS_ID

GROUPS = {
    "text": 33.0,
    "image and text": 31.3,
    "video": 25.0,
    "interleaved": 8.7,
    "views": 0.67,
    "trajectory": 0.33,
    "synthetic": 1.0,
}
"""Groups of sources -> their share of the mixture in per cent."""

_PREFIX = 2
"""Tokens before a prompt: modality and paradigm."""

_FIRST_PIECE = 300


def paper_features(config: ModelConfig, generator: np.random.Generator) -> Features:
    """One example of the mixture, of a network that reads and writes everything.

    Args:
        config: of the network.
        generator: of the lengths and the content.
    """
    group = generator.choice(list(GROUPS), p=np.array(list(GROUPS.values())) / sum(GROUPS.values()))
    return _Drawing(config, generator).example(str(group))


class _Drawing:
    """The parts of one example, as they are drawn."""

    def __init__(self, config: ModelConfig, generator: np.random.Generator) -> None:
        self.config, self.generator = config, generator
        self.features: Features = {}

    def example(self, group: str) -> Features:
        """An example of a group."""
        if group == "text":
            self._document()
        elif group == "image and text":
            self._record(("image",), caption=14)
        elif group == "video":
            self._record(("image", "audio"), caption=30, frames=int(self.generator.integers(1, 5)))
        elif group == "interleaved":
            frames = int(self.generator.integers(1, 5))
            self._record(("image",), caption=self.config.lengths.encoder_text // 2, frames=frames)
        elif group == "views":
            self._read(40, frames=int(self.generator.integers(1, 4)))
            self._write("image")
        elif group == "trajectory":
            self._read(40, frames=4)
            self._write(self._any(("image", "text")), 12)
        else:
            self._read(16, image=True)
            self._write("text", 24)
        return self.features

    def _document(self) -> None:
        """A text, denoised by UL2."""
        longest = self.config.lengths.encoder_text - _PREFIX - 1
        length = int(np.clip(self.generator.lognormal(np.log(0.75 * longest), 0.8), 16, longest))
        denoiser = choose_denoiser(tuple(UL2.values()), self.generator)
        mask = hidden_tokens(length, denoiser, self.generator)
        spans = int((np.diff(np.concatenate([[0], mask.astype(np.int8)])) == 1).sum())
        sentinels = 0 if denoiser.paradigm == "S" else spans
        self._read(int((~mask).sum()) + sentinels)
        self._write("text", int(mask.sum()) + sentinels)

    def _record(self, media: tuple[str, ...], caption: int, frames: int = 0) -> None:
        """A record of media and words: one part is written, also where it is hidden in part; others may be read."""
        longest = self.config.lengths.encoder_text - _PREFIX - 1
        words = int(np.clip(self.generator.lognormal(np.log(caption), 0.6), 3, longest))
        target = self._any((*media, "text"))
        denoised = bool(self.generator.random() < 0.5)
        kept = {part: bool(self.generator.random() < 0.5) for part in (*media, "text", "history")}
        if target == "text":
            given, words = words - words // 3, words // 3
            kept["text"] = denoised
        else:
            given, kept[target] = words, denoised
        self._read(
            given if kept["text"] else 0,
            image=kept.get("image", False),
            audio=kept.get("audio", False),
            frames=frames if kept["history"] else 0,
        )
        self._write(target, words)

    def _any(self, parts: tuple[str, ...]) -> str:
        return str(self.generator.choice(parts))

    def _read(self, words: int, *, image: bool = False, audio: bool = False, frames: int = 0) -> None:
        """What the encoder sees."""
        tokens = self._tokens(_PREFIX + words, self.config.lengths.encoder_text)
        self.features |= _text_fields("inputs/text/tokens", tokens)
        for name, given in (("image", image), ("audio", audio)):
            if given:
                self.features |= self._patches(name, None)
        if frames:
            self.features |= self._patches("image_history", min(frames, self.config.sampling.num_frames))

    def _tokens(self, count: int, longest: int) -> np.ndarray:
        high = self.config.transformer.vocab_size
        ids = self.generator.integers(min(_FIRST_PIECE, high // 2), high, min(count, longest - 1))
        return np.append(ids, EOS_ID).astype(np.int32)

    def _patches(self, name: str, frames: int | None) -> Features:
        """Half of the patches of an image or a sound, or of each frame of a history."""
        rows, columns = self.config.patch_grids[name]
        kept, kind = rows * columns // 2, name.split("_")[0]
        size = getattr(self.config, f"{kind}_patch_size") ** 2 * (3 if kind == "image" else 1)
        lead = () if frames is None else (frames,)
        chosen = np.stack([self.generator.permutation(rows * columns)[:kept] for _ in range(frames or 1)])
        return {
            f"inputs/{name}/input": self.generator.standard_normal((*lead, kept, size), dtype=np.float32),
            f"inputs/{name}/mask": np.ones((*lead, kept), np.int32),
            f"inputs/{name}/pos_ids": chosen.astype(np.int32).reshape(*lead, kept),
        }

    def _write(self, target: str, words: int = 0) -> None:
        """What the decoder writes."""
        if target == "text":
            tokens = self._tokens(words, self.config.lengths.decoder_text)
            self.features |= _text_fields("targets/text/targets", tokens)
            return
        rows, columns = getattr(self.config, f"{target}_tokenizer").grid
        codes = getattr(self.config, f"{target}_tokenizer").num_codes
        ids = self.generator.integers(CODE_OFFSET, CODE_OFFSET + codes, rows * columns)
        self.features[f"targets/{target}/tokens"] = ids.astype(np.int32)
        self.features[f"targets/{target}/mask"] = np.ones(rows * columns, np.int32)


def _text_fields(key: str, tokens: np.ndarray) -> Features:
    part = key.rpartition("/")[0]
    return {
        key: tokens,
        f"{part}/mask": np.ones_like(tokens),
        f"{part}/pos_ids": np.arange(len(tokens), dtype=np.int32),
    }

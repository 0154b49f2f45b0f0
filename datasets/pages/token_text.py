"""Token ids as text that a person can read: plain text, and names for special tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from embodio.model.tokens.vocabulary import EOS_ID, HISTORY_SLOTS, PREFIXES, SENTINELS, VALUE_BINS, Vocabulary


@dataclass(frozen=True)
class Piece:
    """A run of plain text, or one special token.

    Attributes:
        kind: "text", "prefix", "sentinel", "value", "reference" or "end".
        text: what is shown: a sentinel is its number, a value its bin, 0 to 999.
    """

    kind: str
    text: str


def pieces(vocabulary: Vocabulary, ids: Iterable[int]) -> list[Piece]:
    """The pieces of token ids; adjacent tokens of plain text are decoded together."""
    found, plain = list[Piece](), list[int]()
    first = vocabulary.text_size

    def flush() -> None:
        if plain:
            found.append(Piece("text", vocabulary.decode(plain)))
            plain.clear()

    for token in (int(token) for token in ids):
        if token != EOS_ID and token < first:
            plain.append(token)
            continue
        flush()
        found.append(_special(vocabulary, token))
    flush()
    return found


def _special(vocabulary: Vocabulary, token: int) -> Piece:
    place = token - vocabulary.text_size
    if token == EOS_ID:
        return Piece("end", "end")
    if place < VALUE_BINS:
        return Piece("value", str(vocabulary.value_bin(token)))
    if place < VALUE_BINS + SENTINELS:
        return Piece("sentinel", str(VALUE_BINS + SENTINELS - 1 - place))
    if place < VALUE_BINS + SENTINELS + 2 * HISTORY_SLOTS:
        slot = place - VALUE_BINS - SENTINELS
        return Piece("reference", f"{'sound' if slot % 2 else 'image'} {slot // 2 + 1}")
    if token in (vocabulary.image_input_id, vocabulary.audio_input_id):
        return Piece("reference", "image" if token == vocabulary.image_input_id else "sound")
    for modality, paradigm in PREFIXES:
        if token == vocabulary.prefix_id(modality, paradigm):
            return Piece("prefix", f"{modality} {paradigm}")
    return Piece("end", f"id {token}")

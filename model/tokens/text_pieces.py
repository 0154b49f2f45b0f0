"""Text pieces: encodes text with a SentencePiece model, with begin, end and unknown moved to ids 0, 1, 2.

SentencePiece is loaded with the first model, so the layout of the ids is known without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sentencepiece

_SPACE = "\u2581"  # how SentencePiece writes a space


class TextPieces:
    """The text side of a vocabulary: a SentencePiece model, and the same model with special pieces appended.

    The ids of both agree. Plain text goes through the model without the special pieces, so it cannot reach them.
    """

    def __init__(self, model: bytes, special_pieces: Sequence[str]) -> None:
        """Reads a serialised SentencePiece model.

        Args:
            model: its bytes.
            special_pieces: spellings of the pieces to append, with U+2581 for each space.

        Raises:
            ValueError: the bytes are not a SentencePiece model, or one without an unknown, begin or end piece, or
                with one of the special pieces.
        """
        proto = _parse(model)
        taken = {piece.piece for piece in proto.pieces}.intersection(special_pieces)
        if taken:
            raise ValueError(f"the SentencePiece model already has {min(taken)!r}; give the one without special pieces")
        self._proto = proto
        self._special = tuple(special_pieces)
        self._plain = _processor(proto)
        self.count = len(proto.pieces)
        """Number of pieces without the special ones."""
        first = (self._plain.bos_id(), self._plain.eos_id(), self._plain.unk_id())
        for name, old in zip(("begin-of-sequence", "end-of-sequence", "unknown"), first, strict=True):
            if old < 0:
                raise ValueError(f"the SentencePiece model has no {name} piece; train it with one")
        order = [*first, *(i for i in range(self.count) if i not in first)]
        self._to_new = {old: new for new, old in enumerate(order) if old != new}
        self._to_old = {new: old for old, new in self._to_new.items()}

    def encode_plain(self, text: str) -> list[int]:
        """Returns ids below `count`; U+2581 in the text becomes its bytes, because as a piece it stands for a space.

        Raises:
            UnicodeEncodeError: the text holds a lone surrogate.
        """
        text.encode("utf-8")
        if _SPACE not in text or self._byte_pieces is None:
            return self._renumber(self._plain.encode(text))
        head, *tail = text.split(_SPACE)
        old = self._plain.encode(head) or self._without_dummy_space.encode(" ")
        for part in tail:
            old += [*self._byte_pieces, *self._without_dummy_space.encode(part)]
        return self._renumber(old)

    def encode_special(self, text: str) -> list[int]:
        """Returns ids as the reference does: a special piece is found where a space or the start precedes its name.

        Raises:
            UnicodeEncodeError: the text holds a lone surrogate.
        """
        text.encode("utf-8")
        return self._renumber(self._with_special.encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids below `count` + number of special pieces."""
        return str(self._with_special.decode([self._to_old.get(i, i) for i in ids]))

    def _renumber(self, old: list[int]) -> list[int]:
        return [self._to_new.get(i, i) for i in old]

    @cached_property
    def _byte_pieces(self) -> list[int] | None:
        """Ids of the three bytes of U+2581, None for a model without byte pieces."""
        if not self._proto.trainer_spec.byte_fallback:
            return None
        return [self._plain.piece_to_id(f"<0x{byte:02X}>") for byte in _SPACE.encode("utf-8")]

    @cached_property
    def _with_special(self) -> sentencepiece.SentencePieceProcessor:
        proto = type(self._proto)()
        proto.CopyFrom(self._proto)
        for spelling in self._special:
            proto.pieces.add(piece=spelling, score=0.0, type=proto.SentencePiece.USER_DEFINED)
        return _processor(proto)

    @cached_property
    def _without_dummy_space(self) -> sentencepiece.SentencePieceProcessor:
        proto = type(self._proto)()
        proto.CopyFrom(self._proto)
        proto.normalizer_spec.add_dummy_prefix = False
        return _processor(proto)


def _parse(model: bytes) -> Any:
    """The message that a model's bytes hold; type checkers cannot see its class, which is made at run time."""
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    try:
        proto = sentencepiece_model_pb2.ModelProto.FromString(model)  # type: ignore[attr-defined]
    except DecodeError as error:
        raise ValueError("not a SentencePiece model; give the bytes of a .model file") from error
    if not proto.pieces:
        raise ValueError("not a SentencePiece model; give the bytes of a .model file")
    return proto


def _processor(proto: Any) -> sentencepiece.SentencePieceProcessor:
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    except RuntimeError as error:
        raise ValueError(f"SentencePiece refuses the model: {error}") from error

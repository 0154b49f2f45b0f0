"""The layout of token ids: text pieces, continuous-value bins, sentinels, input references and prefixes.

Over a SentencePiece model of `n` pieces (paper appendix B.1; n = 32000 for the LLaMA model of the released weights):

| ids                  | count | meaning                                                                         |
|----------------------|-------|---------------------------------------------------------------------------------|
| 0                    | 1     | begin of sequence, and padding                                                  |
| 1                    | 1     | end of sequence                                                                 |
| 2                    | 1     | unknown                                                                         |
| 3 .. n-1             | n - 3 | the other pieces in the order of the SentencePiece model                        |
| n .. n+999           | 1000  | value bins `<extra_id_1199>` .. `<extra_id_200>`: ids fall while values rise    |
| n+1000 .. n+1199     | 200   | sentinels `<extra_id_199>` .. `<extra_id_0>`: sentinel 0 has the highest id     |
| n+1200 .. n+1215     | 16    | `<image_history_k>`, `<audio_history_k>` in turn for k = 1 .. 8                 |
| n+1216, n+1217       | 2     | `<image_input>`, `<audio_input>`                                                |
| n+1218 .. n+1224     | 7     | prefixes: output modality and paradigm, one token for each pair                 |
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embodio.model.errors import ModelError
from embodio.model.tokens.text_pieces import TextPieces

Prompt = str | Sequence[str | int]
"""Text, or a sequence of texts and token ids; ids are taken as they are, texts are plain text."""

PAD_ID = 0
BOS_ID = 0
EOS_ID = 1
UNK_ID = 2
VALUE_BINS = 1000
SENTINELS = 200
HISTORY_SLOTS = 8
TEXT_NANO = "text-nano"
"""Name of the vocabulary of small generalists, in settings."""
PREFIXES = (
    ("text", "S"),
    ("text", "R"),
    ("text", "X"),
    ("image", "S"),
    ("image", "R"),
    ("audio", "S"),
    ("audio", "R"),
)

_CACHED_TEXTS = 4096
_LONGEST_CACHED_TEXT = 512
_IMAGE_INPUT = VALUE_BINS + SENTINELS + 2 * HISTORY_SLOTS
_FIRST_PREFIX = _IMAGE_INPUT + 2


class VocabularyError(ModelError, ValueError):
    """A SentencePiece model, token id, prompt or value that the vocabulary cannot serve."""


class Vocabulary:
    """Token ids of texts, values and special tokens over one SentencePiece model.

    Two vocabularies are equal when their SentencePiece models are equal to the byte. Instances are immutable, can be
    pickled, and remember the ids of recent texts.
    """

    def __init__(self, model: bytes) -> None:
        """Reads a serialised SentencePiece model.

        Args:
            model: the bytes of a SentencePiece `.model` file that has the pieces unknown, begin and end of sequence.

        Raises:
            VocabularyError: the bytes are not such a model.
        """
        try:
            self._pieces = TextPieces(model, special_pieces())
        except ValueError as error:
            raise VocabularyError(str(error)) from error
        self._model = model
        self._n = self._pieces.count
        self._cached_text_ids = lru_cache(maxsize=_CACHED_TEXTS)(self._text_ids)

    @classmethod
    def from_bytes(cls, model: bytes) -> "Vocabulary":
        """Same as `Vocabulary(model)`: the inverse of `to_bytes`."""
        return cls(model)

    @classmethod
    def from_file(cls, path: str | Path) -> "Vocabulary":
        """Reads a SentencePiece `.model` file.

        Raises:
            VocabularyError: there is no such file, or it is not a SentencePiece model.
        """
        try:
            model = Path(path).read_bytes()
        except OSError as error:
            raise VocabularyError(f"cannot read the SentencePiece model {path}: {error.strerror}") from error
        return cls(model)

    @classmethod
    def default(cls) -> "Vocabulary":
        """Returns the vocabulary of policies, which ships: 512 pieces with byte fallback, for any Unicode text."""
        return _shipped("tokenizer.model")

    @classmethod
    def nano(cls) -> "Vocabulary":
        """Returns the vocabulary of small generalists, which ships: 4096 pieces of English with byte fallback."""
        return _shipped(f"{TEXT_NANO}.model")

    def to_bytes(self) -> bytes:
        """Returns the SentencePiece model, all that is needed to make this vocabulary again."""
        return self._model

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the SentencePiece model, 64 hexadecimal digits."""
        return hashlib.sha256(self._model).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._model == other._model

    def __hash__(self) -> int:
        return hash(self._model)

    def __reduce__(self) -> tuple[type["Vocabulary"], tuple[bytes]]:
        return Vocabulary, (self._model,)

    def __repr__(self) -> str:
        return f"Vocabulary(pieces={self._n}, size={self.size}, fingerprint={self.fingerprint[:12]})"

    # ------------------------------------------------------------------ layout

    @property
    def text_size(self) -> int:
        """Number of ids of text pieces with the three control pieces: n."""
        return self._n

    @property
    def size(self) -> int:
        """Number of ids in use: n + 1225."""
        return self._n + _FIRST_PREFIX + len(PREFIXES)

    @property
    def padded_size(self) -> int:
        """Rows of the embedding table: `size` rounded up to a multiple of 128."""
        return -(-self.size // 128) * 128

    @property
    def value_ids(self) -> npt.NDArray[np.int64]:
        """The ids of the 1000 value bins ordered by increasing value, int64 [1000]."""
        return np.arange(self._n + VALUE_BINS - 1, self._n - 1, -1, dtype=np.int64)

    def value_id(self, value_bin: int) -> int:
        """Returns the id of value bin 0 .. 999.

        Raises:
            VocabularyError: there is no such bin.
        """
        _require_index("value bin", value_bin, 0, VALUE_BINS - 1)
        return self._n + VALUE_BINS - 1 - value_bin

    def value_bin(self, token_id: int) -> int:
        """Returns the value bin 0 .. 999 of an id.

        Raises:
            VocabularyError: the id is not that of a value bin.
        """
        _require_index("id of a value bin", token_id, self._n, self._n + VALUE_BINS - 1)
        return self._n + VALUE_BINS - 1 - token_id

    def sentinel_id(self, index: int) -> int:
        """Returns the id of span-corruption sentinel 0 .. 199.

        Raises:
            VocabularyError: there is no such sentinel.
        """
        _require_index("sentinel", index, 0, SENTINELS - 1)
        return self._n + VALUE_BINS + SENTINELS - 1 - index

    def image_history_id(self, frame: int) -> int:
        """Returns the id that refers to frame 1 .. 8 of the image history.

        Raises:
            VocabularyError: there is no such frame.
        """
        _require_index("image history frame", frame, 1, HISTORY_SLOTS)
        return self._n + VALUE_BINS + SENTINELS + 2 * (frame - 1)

    def audio_history_id(self, segment: int) -> int:
        """Returns the id that refers to segment 1 .. 8 of the audio history.

        Raises:
            VocabularyError: there is no such segment.
        """
        _require_index("audio history segment", segment, 1, HISTORY_SLOTS)
        return self._n + VALUE_BINS + SENTINELS + 2 * (segment - 1) + 1

    @property
    def image_input_id(self) -> int:
        """The id that refers to the main image."""
        return self._n + _IMAGE_INPUT

    @property
    def audio_input_id(self) -> int:
        """The id that refers to the main audio."""
        return self._n + _IMAGE_INPUT + 1

    def prefix_id(self, modality: str, paradigm: str = "S") -> int:
        """Returns the id that opens a prompt: which modality to write, and how (paper section 3.3).

        Args:
            modality: "text", "image" or "audio".
            paradigm: "S" causal generation, "R" span corruption or masked denoising, "X" extreme corruption (text).

        Raises:
            VocabularyError: there is no such pair.
        """
        if (modality, paradigm) not in PREFIXES:
            raise VocabularyError(f"no prefix for modality {modality!r}, paradigm {paradigm!r}; there are {PREFIXES}")
        return self._n + _FIRST_PREFIX + PREFIXES.index((modality, paradigm))

    # ------------------------------------------------------------------ text

    def encode(self, prompt: Prompt, parse_special: bool = False) -> list[int]:
        """Turns a prompt into token ids, without begin and end of sequence.

        Text is plain text: whatever it says, it becomes text pieces, so it can neither name nor split a special token.
        Special tokens are given by id between the texts. Every text of a sequence begins a new word.

        Args:
            prompt: text, or a sequence of texts and ids.
            parse_special: read special tokens in texts as the reference implementation does, which finds them only
                after a space or at the start: "move to <extra_id_200>". For prompts that you wrote, not for user input.

        Returns:
            Token ids.

        Raises:
            VocabularyError: the prompt is neither text nor a sequence, an id is outside the vocabulary, a part is
                neither text nor id, or a text holds a lone surrogate, which is not a Unicode character.
        """
        if isinstance(prompt, str):
            return list(self._ids_of_text(prompt, parse_special))
        if not isinstance(prompt, Iterable):
            raise VocabularyError(
                f"a prompt is text, or texts and token ids in sequence; found {type(prompt).__name__}"
            )
        ids: list[int] = []
        size = self.size
        for part in prompt:
            if isinstance(part, str):
                ids.extend(self._ids_of_text(part, parse_special))
            elif isinstance(part, (int, np.integer)) and not isinstance(part, bool):
                if not 0 <= part < size:
                    raise VocabularyError(f"token id {part} is outside the vocabulary of {size} ids")
                ids.append(int(part))
            else:
                raise VocabularyError(
                    f"a prompt holds texts and token ids, but a part is of type {type(part).__name__}; convert it first"
                )
        return ids

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
        """Turns token ids into text, up to the first end of sequence.

        Special tokens become their names, padding becomes nothing, and ids that are not in the vocabulary the mark for
        unknown. Bytes that do not form a character become U+FFFD, so any ids give a text.

        Args:
            ids: integer token ids [L].

        Raises:
            VocabularyError: the ids are not integers.
        """
        known: list[int] = []
        for token_id in _integers(ids).reshape(-1).tolist():
            if token_id == EOS_ID:
                break
            known.append(token_id if 0 <= token_id < self.size else UNK_ID)
        return self._pieces.decode(known)

    def _ids_of_text(self, text: str, parse_special: bool) -> tuple[int, ...]:
        if len(text) > _LONGEST_CACHED_TEXT:
            return self._text_ids(text, parse_special)
        return self._cached_text_ids(text, parse_special)

    def _text_ids(self, text: str, parse_special: bool) -> tuple[int, ...]:
        try:
            return tuple(self._pieces.encode_special(text) if parse_special else self._pieces.encode_plain(text))
        except UnicodeEncodeError as error:
            raise VocabularyError(
                f"the text holds a lone surrogate at character {error.start}; encode it with errors='replace' first"
            ) from error

    # ------------------------------------------------------------------ values

    def values_to_ids(
        self,
        values: npt.ArrayLike,
        rounding: Literal["trunc", "nearest"] = "nearest",
        denominator: Literal[999, 1000] = 999,
    ) -> npt.NDArray[np.int64]:
        """Turns values in [0, 1] into ids of value bins.

        Args:
            values: any shape. Float32 values are multiplied in float32 as the reference does, others in float64.
            rounding: "nearest" comes back from `ids_to_values` within half a bin; "trunc" is the rule of the released
                weights, at most one bin below the value.
            denominator: bins to the unit. With 1000 the value 1 shares bin 999 with 0.999.

        Returns:
            Ids of the shape of `values`, int64.

        Raises:
            VocabularyError: a value is NaN or outside [0, 1], or an option is unknown.
        """
        if rounding not in ("trunc", "nearest"):
            raise VocabularyError(f"rounding is {rounding!r}; use 'trunc' or 'nearest'")
        _require_denominator(denominator)
        array = np.asarray(values)
        array = array if array.dtype == np.float32 else array.astype(np.float64)
        legal = (array >= 0) & (array <= 1)
        if not legal.all():
            first = tuple(int(i) for i in np.argwhere(~legal)[0])
            raise VocabularyError(f"value {array[first]} at index {first} is outside [0, 1]; normalise it first")
        scaled = array * array.dtype.type(denominator)
        bins = (scaled if rounding == "trunc" else np.rint(scaled)).astype(np.int64)
        ids: npt.NDArray[np.int64] = self._n + VALUE_BINS - 1 - np.minimum(bins, VALUE_BINS - 1)
        return ids

    def ids_to_values(self, ids: npt.ArrayLike, denominator: Literal[999, 1000] = 999) -> npt.NDArray[np.float64]:
        """Turns ids of value bins into values: bin / denominator.

        Args:
            ids: integer ids of any shape.
            denominator: 999 spans [0, 1] and is the default; some published metrics divide by 1000.

        Returns:
            Values of the shape of `ids`, float64.

        Raises:
            VocabularyError: an id is not that of a value bin.
        """
        _require_denominator(denominator)
        array = _integers(ids)
        bins = self._n + VALUE_BINS - 1 - array
        legal = (bins >= 0) & (bins < VALUE_BINS)
        if not legal.all():
            first = tuple(int(i) for i in np.argwhere(~legal)[0])
            raise VocabularyError(
                f"id {array[first]} at {first} is not a value bin; these are {self._n} .. {self._n + VALUE_BINS - 1}"
            )
        return bins / float(denominator)


def special_pieces() -> list[str]:
    """Returns the spelling of the 1225 special tokens in the order of their ids, with U+2581 for each space."""
    names = [f"<extra_id_{i}>" for i in range(VALUE_BINS + SENTINELS - 1, -1, -1)]
    for k in range(1, HISTORY_SLOTS + 1):
        names += [f"<image_history_{k}>", f"<audio_history_{k}>"]
    names += ["<image_input>", "<audio_input>"]
    names += [f"[{modality.capitalize()}]\u2581[{paradigm}]" for modality, paradigm in PREFIXES]
    return ["\u2581" + name for name in names]


@lru_cache(maxsize=2)
def _shipped(name: str) -> Vocabulary:
    return Vocabulary(files("embodio.model").joinpath("assets", name).read_bytes())


def _integers(ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
    array = np.asarray(ids)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise VocabularyError(f"ids are of type {array.dtype}; give integers")
    return array.astype(np.int64)


def _require_index(what: str, index: int, low: int, high: int) -> None:
    if not low <= index <= high:
        raise VocabularyError(f"{what} {index} does not exist; they go from {low} to {high}")


def _require_denominator(denominator: int) -> None:
    if denominator not in (999, 1000):
        raise VocabularyError(f"denominator is {denominator}; use 999 or 1000")

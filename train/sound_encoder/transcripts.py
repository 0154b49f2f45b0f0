"""The pieces of text that the transcripts of a corpus are written in, and their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.parts.material import encoded
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.tokenizers.media import CorpusMedia

NOTHING = 0
"""The number of no piece: between pieces, and in the padding of a batch."""
OTHER = 1
"""The number of every piece that the training split does not have."""
FIRST = 2


class Pieces:
    """Pieces and their numbers from `FIRST` on.

    Args:
        vocabulary: that writes them.
        ids: their token ids, in the order of their numbers.
    """

    def __init__(self, vocabulary: Vocabulary, ids: Sequence[int]) -> None:
        self.ids = tuple(ids)
        self._vocabulary = vocabulary
        self._numbers = {piece: number for number, piece in enumerate(self.ids, start=FIRST)}

    @classmethod
    def of(cls, media: CorpusMedia, vocabulary: Vocabulary) -> Pieces:
        """Those of all transcripts of a split, read without its sounds; records that training leaves out do not count.

        Raises:
            DatasetError: no record has a transcript; the error of the first damaged one, if some are damaged.
        """
        damage: list[DatasetError] = []
        written = media.each(lambda record: encoded(record, record.transcript.strip(), vocabulary), damage)
        found = set(chain.from_iterable(written))
        if damage and not found:
            raise damage[0]
        if not found:
            raise DatasetError(
                f"sources: no record of {', '.join(media.names)} has a transcript; name sources of speech, such as "
                "commands"
            )
        return cls(vocabulary, sorted(found))

    def numbers(self, text: str) -> list[int]:
        """The numbers of the pieces of a text, `OTHER` for those that are not known."""
        return [self._numbers.get(piece, OTHER) for piece in self._vocabulary.encode(text.strip())]

"""The experiment that trains text pieces on the text of a corpus and writes them as a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, Range, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import TrainError
from embodio.train.experiment import Experiment

_LEAST_PIECES = Range(360)
_MEASURED = 2000


@dataclass(frozen=True)
class TextTokenizerRun:
    """Training of text pieces: SentencePiece BPE with byte fallback.

    Attributes:
        out: folder in which vocabulary.model is written.
        data: folder of a corpus, as `embodio-data corpus` makes it; with none, only sentences about robots are used.
        sources: sources of the corpus whose text, captions and transcripts are used.
        pieces: size of the vocabulary without sentinels, values and other special pieces: 3 control pieces, 256 bytes
            and what is learned.
        sentences: lines of the corpus that are used, drawn evenly; as many sentences about robots come from patterns.
        seed: of the draw.
    """

    out: str
    data: str = ""
    sources: tuple[str, ...] = ("openclipart", "wordnet")
    pieces: int = 4096
    sentences: int = 60_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_ranges(self, pieces=_LEAST_PIECES, sentences=AT_LEAST_ONE, seed=COUNT)
        if Path(self.out).is_file():
            raise UsageError(f"out: {self.out} is a file; give a folder")


def perform(config: TextTokenizerRun) -> int:
    """Trains the pieces, writes them, and prints how many bytes of held-out text a token holds; returns 0.

    Raises:
        DatasetError: the corpus or a source is absent, or damaged.
        TrainError: there is too little text for that many pieces.
    """
    from rich.console import Console

    from embodio.agent.checkpoint import VOCABULARY
    from embodio.datasets.files.folder_lock import sole_user
    from embodio.model.tokens.vocabulary import Vocabulary
    from embodio.model.writing import write_bytes
    from embodio.train.tokenizers import text
    from embodio.train.tokenizers.media import corpus_lines, sampled

    console = Console(highlight=False)
    folder, corpus = Path(config.out), Path(config.data)
    with sole_user(folder, "training into", TrainError):
        patterns = list(text.corpus(min(config.sentences, text.SENTENCES)))
        lines = (
            sampled(corpus_lines(corpus, config.sources, "train"), config.sentences, config.seed) if config.data else []
        )
        held_out = (  # before anything is written
            sampled(corpus_lines(corpus, config.sources, "validation"), _MEASURED, 0) if config.data else patterns
        )
        console.print(f"{len(lines)} lines of the corpus, {len(patterns)} sentences about robots")
        try:
            model = text.train(config.pieces, [*patterns, *lines])
        except RuntimeError as error:  # SentencePiece's own
            raise TrainError(
                f"pieces: SentencePiece refuses {config.pieces} ({error}); give less, or more text"
            ) from error
        vocabulary = Vocabulary(model)
        write_bytes(folder / VOCABULARY, model)
        console.print(f"{vocabulary.text_size} pieces, {vocabulary.size} ids with special ones: {folder}")
        for name, one in (("these pieces", vocabulary), ("the pieces that ship", Vocabulary.default())):
            sizes = [(len(line.encode()), len(one.encode(line))) for line in held_out]
            bytes_, tokens = (sum(column) for column in zip(*sizes, strict=True))
            console.print(f"{name}: {bytes_ / tokens:.2f} bytes of held-out text a token")
    return 0


def build(config: Any) -> NoReturn:
    """Raises TrainError: there is no network to be trained by steps."""
    raise TrainError(f"tokenizer_text: there are no steps to train; call perform({type(config).__name__})")


EXPERIMENT = Experiment(
    schema=TextTokenizerRun,
    build=build,
    perform=perform,
    description="Train text pieces (SentencePiece BPE) on the text of a corpus.",
    examples=("embodio-train experiment=tokenizer/text data=corpus out=runs/text",),
)

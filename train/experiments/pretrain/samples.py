"""What the report of a pre-training run shows: held-out examples of every source, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from embodio.datasets.errors import ExampleError
from embodio.datasets.stream.numbered_batches import made
from embodio.datasets.tasks.parts.record_task import RecordTask
from embodio.model.example import Example
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.processor import Processor
from embodio.model.tokenizers.vocoder import Vocoder
from embodio.train.observers.samples import Sample, Samples

_TRIES = 40  # records of a source that are looked at


class HeldOutSamples:
    """Writes the targets of some held-out examples, each of another source or with another target, the same each time.

    Args:
        held_out: name of a source -> its records.
        processor: of the network in validation.
        count: largest number of examples.
        vocoder: makes sounds of spectrograms; None takes Griffin-Lim.
    """

    def __init__(
        self, held_out: Mapping[str, RecordTask], processor: Processor, count: int, vocoder: Vocoder | None = None
    ) -> None:
        self._held_out, self._processor, self._count, self._vocoder = held_out, processor, count, vocoder

    def __call__(self, network: UnifiedIO2) -> Sequence[Sample]:
        """The samples of a network in eval mode."""
        return Samples(self._examples, self._processor, self._vocoder)(network)

    @cached_property
    def _examples(self) -> dict[str, Example]:
        """Title -> example: of each source in turn, first those with targets that it has not shown yet."""
        found: dict[str, Example] = {}
        streams = {name: self._of_source(name, task) for name, task in self._held_out.items()}
        while streams and len(found) < self._count:
            for name in list(streams):
                item = next(streams[name], None)
                if item is None:
                    del streams[name]
                elif len(found) < self._count:
                    found[item[0]] = item[1]
        return found

    def _of_source(self, source: str, task: RecordTask) -> Iterator[tuple[str, Example]]:
        """Examples of one source, each with another set of targets."""
        known = set()
        for index in range(min(_TRIES, len(task))):
            try:
                example = made(task, index, task.example)
            except ExampleError:
                continue
            targets = tuple(
                modality
                for modality in ("text", "image", "audio")
                if getattr(example, f"{modality}_target") is not None
            )
            if targets not in known:
                known.add(targets)
                yield f"{source}, record {index}: {' and '.join(targets)}", example

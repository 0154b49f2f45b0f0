"""The cost of making pre-training examples: objective and Processor, against decoding and making patches alone."""

from __future__ import annotations

import io
from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image

from embodio.benchmarks.speed.suites import Row
from embodio.benchmarks.speed.suites.model import fastest
from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.record import Media, Record
from embodio.model import Example, ModelConfig, Processor, Vocabulary

_SIZE = (480, 640)
_CAPTION = "a tall red cup on a wooden table, next to a plate and a spoon, seen from above in the evening"


def example_cost(config: ModelConfig, repeats: int, examples: int) -> list[Row]:
    """Processor time for one example of several kinds of records by the objective `multimodal`.

    Args:
        config: of the network; the default vocabulary must fit into it.
        repeats: how often each is measured, in turn; the fastest counts.
        examples: how many examples are made each time.
    """
    vocabulary = Vocabulary.default()
    context, processor = ObjectiveContext(config, vocabulary), Processor(config, vocabulary)
    objective = named_objective("multimodal")()
    rows = []
    for name, record in _records().items():

        def whole(record: Record = record) -> None:
            for number in range(examples):
                generator = np.random.default_rng(number)
                processor(objective.example(record, context, generator), generator)

        def alone(record: Record = record) -> None:
            for number in range(examples):
                image = None if record.image is None else record.image.load()
                sound = None if record.sound is None else record.sound.load()  # its segments are input and history
                processor(Example(text=_CAPTION, image=image, audio=sound), np.random.default_rng(number))

        times = fastest({"whole": whole, "alone": alone}, repeats, threads=1)
        made, floor = times["whole"] / examples, times["alone"] / examples
        note = "target, hidden part and features drawn and made, against decoding and patches of the inputs alone"
        rows.append(Row(f"an example of {name}", made, "ms", floor, made / floor, "<= 2", note))
    return rows


def _records() -> Mapping[str, Record]:
    """A photograph that is decoded each time, ten seconds of sound, and both, with a caption."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (_SIZE[0] // 40, _SIZE[1] // 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(cv2.resize(coarse, _SIZE[::-1], interpolation=cv2.INTER_CUBIC)).save(buffer, "JPEG", quality=90)
    picture = Media(lambda: np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")))
    sound = Media.of(rng.uniform(-0.5, 0.5, 160_000).astype(np.float32))
    return {
        "an image with a caption": Record(key="image", image=picture, captions=(_CAPTION,)),
        "a sound with a caption": Record(key="sound", sound=sound, captions=(_CAPTION,)),
        "an image, a sound and a caption": Record(key="both", image=picture, sound=sound, captions=(_CAPTION,)),
    }

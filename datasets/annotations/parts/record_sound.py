"""The sound of a record, as an annotation holds it."""

from __future__ import annotations

from embodio.datasets.records.record import Record
from embodio.model.example import Waveform
from embodio.model.processing.audio_features import SAMPLE_RATE


def heard(record: Record, seconds: float, whole: bool = False) -> Waveform:
    """The beginning of the sound, at 16 kHz.

    Args:
        record: with a sound.
        seconds: the most that is given.
        whole: whether a longer sound is an error, as it says more than its beginning.

    Raises:
        ValueError: there is no sound, or it is longer and must be whole.
        CorruptRecordError: it is damaged.
    """
    if record.sound is None:
        raise ValueError("the record has no sound")
    sound, most = record.sound.load(), round(seconds * SAMPLE_RATE)
    if whole and len(sound) > most:
        raise ValueError(f"the sound lasts {len(sound) / SAMPLE_RATE:.1f} s, longer than {seconds:.3g} s")
    return sound[:most]

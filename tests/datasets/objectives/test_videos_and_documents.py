"""Videos and documents: frames, sounds and paragraphs in order, with a reference where each occurs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np

from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.spans import Denoiser, restore_text
from embodio.datasets.records.record import Media, Record, Video
from embodio.model import Example, Processor
from embodio.model.config.parts import SamplingConfig
from tests.support.model.small import CONFIG, VOCABULARY

FOUR = CONFIG.replace(sampling=SamplingConfig(image_patches=16, audio_patches=8, num_frames=4))
CONTEXT = ObjectiveContext(FOUR, VOCABULARY)
FRAMES, RATE = 20, 2.0
WHOLE = {"keep": 1.0, "whole": 1.0, "denoisers": {"s": Denoiser("S", 0.25)}}
FIRST, INPUT = VOCABULARY.image_history_id(1), VOCABULARY.image_input_id


def film(sound: bool = True, **texts: Any) -> Record:
    """Frame k is grey k; the sound is loud as its time in seconds over 100."""
    frames = np.repeat(np.arange(FRAMES, dtype=np.uint8), 24 * 32 * 3).reshape(FRAMES, 24, 32, 3)
    samples = int(FRAMES / RATE * 16_000)
    loud = (np.arange(1, samples + 1) / 16_000 / 100).astype(np.float32)
    video = Video(frames=frames, rate=RATE, sound=loud if sound else None)
    return Record(key="v", video=Media.of(video), **texts)


def made(name: str, record: Record, seed: int = 0, context: ObjectiveContext = CONTEXT, **config: Any) -> Example:
    kind = named_objective(name)
    return kind(kind.settings(**config)).example(record, context, np.random.default_rng(seed))


def grey(image: Any) -> int:
    return int(image[0, 0, 0])


def test_five_frames_in_order_with_the_sound_around_each() -> None:
    for seed in range(20):
        example = made("denoise_text", film(captions=("a film",)), seed, **WHOLE)
        frames = [*(grey(image) for image in example.image_history), grey(example.image)]
        assert len(frames) == 5 and frames == sorted(frames) and len(set(frames)) == 5
        sounds = [*example.audio_history, example.audio]
        assert len(sounds) == 5
        for frame, sound in zip(frames, sounds, strict=True):
            middle = sound[sound > 0].mean() * 100
            assert abs(middle - (frame + 0.5) / RATE) < 0.6, "the sound of a frame is that of its time"
    assert VOCABULARY.decode(example.text_target) == "a film"


def test_a_transcript_refers_to_each_frame_where_it_occurs() -> None:
    words = " ".join(f"w{number:02d}" for number in range(40))
    example = made("denoise_image", film(transcript=words), keep=1.0, denoise=1.0)
    text = [token for token in example.text if FIRST <= token <= VOCABULARY.audio_input_id]
    pairs = [token for part in range(1, 5) for token in (_image(part), _audio(part))]
    assert text == [*pairs, INPUT, VOCABULARY.audio_input_id]
    places = np.flatnonzero([token == INPUT or token in map(_image, range(1, 5)) for token in example.text])
    assert np.ptp(np.diff(places)) <= 4, "the stretch is divided evenly, up to a word"
    decoded = VOCABULARY.decode(example.text).split()
    heard = [int(word[1:]) for word in decoded if word[0] == "w"]
    assert all(len(word) == 3 for word in decoded if word[0] == "w"), "words are whole"
    first, last = grey(example.image_history[0]), grey(example.image)
    assert 2 * first - 8 < min(heard) and max(heard) < 2 * last + 10, "the words are those of the stretch"


def test_a_denoised_transcript_put_together_is_the_transcript() -> None:
    words = " ".join(f"w{number:02d}" for number in range(40))
    for seed in range(12):
        example = made("denoise_text", film(transcript=words), seed, keep=1.0, denoisers={"x": Denoiser("X", 0.5)})
        restored = restore_text(example.text[1:], example.text_target, VOCABULARY)
        refers = [FIRST <= token <= VOCABULARY.audio_input_id for token in restored]
        assert sum(refers) == 10 == sum(FIRST <= token <= VOCABULARY.audio_input_id for token in example.text)
        spoken = [token for token, refer in zip(restored, refers, strict=True) if not refer]
        assert VOCABULARY.decode(spoken).strip() in words


def test_the_last_frame_is_the_target_and_earlier_ones_are_context() -> None:
    drawn = made("denoise_image", film(captions=("a film",)), keep=1.0, denoise=0.0)
    assert drawn.image is None and len(drawn.image_history) == 4
    assert grey(drawn.image_target) > grey(drawn.image_history[-1])
    assert INPUT not in drawn.text and [token for token in drawn.text if token == _image(4)]
    masked = made("denoise_image", film(captions=("a film",)), keep=1.0, denoise=1.0)
    assert masked.image_hidden is not None and grey(masked.image) == grey(masked.image_target)
    sound = made("denoise_audio", film(), keep=1.0, denoise=0.0)
    assert sound.audio is None and len(sound.audio_history) == 4 and len(sound.image_history) == 4


def test_what_is_dropped_is_not_referred_to() -> None:
    dropped = made("denoise_text", film(captions=("a film",)), keep=0.0)
    assert dropped.image is None and not dropped.image_history and dropped.audio is None
    assert not [token for token in dropped.text if FIRST <= token <= VOCABULARY.audio_input_id]


def test_a_silent_film_gives_no_sound() -> None:
    targets = Counter(
        next(name for name in ("text", "image", "audio") if getattr(example, f"{name}_target") is not None)
        for example in (made("multimodal", film(sound=False, captions=("a film",)), seed) for seed in range(60))
    )
    assert set(targets) == {"text", "image"}


PARTS = ["A cat.", 1, "A dog.", 2, "They met.", 3, 4, 5, 6, 7, "Goodbye."]


def document(parts: list[Any]) -> Record:
    def part(one: Any) -> Any:
        return one if isinstance(one, str) else Media.of(np.full((32, 32, 3), one, dtype=np.uint8))

    return Record(key="d", document=[part(one) for one in parts])


def shown(example: Example) -> list[int]:
    return [
        *(grey(image) for image in example.image_history),
        *([] if example.image is None else [grey(example.image)]),
    ]


def test_a_paragraph_is_written_after_the_images_before_it() -> None:
    expected = {
        "A dog.": ([1], ["A cat.", INPUT]),
        "They met.": ([1, 2], ["A cat.", FIRST, "A dog.", INPUT]),
        "Goodbye.": (
            [3, 4, 5, 6, 7],
            ["A cat.", "A dog.", "They met.", *(_image(number) for number in range(1, 5)), INPUT],
        ),
    }
    found = set()
    for seed in range(30):
        example = made("denoise_text", document(PARTS), seed, **WHOLE)
        paragraph = VOCABULARY.decode(example.text_target)
        images, before = expected[paragraph]
        assert shown(example) == images
        assert list(example.text[1:]) == VOCABULARY.encode(before)
        found.add(paragraph)
    assert found == set(expected)


def test_an_image_is_drawn_after_four_before_it_and_denoised_with_them() -> None:
    for seed in range(30):
        drawn = made("denoise_image", document(PARTS), seed, denoise=0.0)
        target = grey(drawn.image_target)
        assert shown(drawn) == list(range(max(1, target - 4), target))
        masked = made("denoise_image", document(PARTS), seed, denoise=1.0)
        target = grey(masked.image_target)
        assert shown(masked) == list(range(max(1, target - 4), target + 1))
        assert masked.text[-1] == INPUT and masked.image_hidden is not None


def test_an_image_without_text_before_it_is_drawn_from_the_text_after_it() -> None:
    drawn = made("denoise_image", document([5, "A cow.", 6]), 1, denoise=0.0)
    while grey(drawn.image_target) != 5:
        drawn = made("denoise_image", document([5, "A cow.", 6]), 2, denoise=0.0)
    assert list(drawn.text[1:]) == VOCABULARY.encode("A cow.")


def test_long_documents_keep_their_references_and_the_text_nearest() -> None:
    long = " ".join(f"w{number}" for number in range(500))
    example = made("denoise_text", document([long, 1, long, 2, "End."]), 3, **WHOLE)
    while VOCABULARY.decode(example.text_target) != "End.":
        example = made("denoise_text", document([1, long, 2, "End."]), 4, **WHOLE)
    assert len(example.text) == CONFIG.lengths.encoder_text - 1, "all the room is used, but that of the end"
    assert example.text.count(FIRST) == 1 and example.text[-1] == INPUT
    assert VOCABULARY.decode(example.text[-8:-1]).endswith("499")


def _image(number: int) -> int:
    return VOCABULARY.image_history_id(number)


def _audio(number: int) -> int:
    return VOCABULARY.audio_history_id(number)


def test_a_sound_track_of_digital_silence_is_as_none() -> None:
    video = film(captions=("a film",)).video
    assert video is not None
    silent = dataclasses.replace(video.load(), sound=np.zeros(48_000, dtype=np.float32))
    record = Record(key="v", video=Media.of(silent), captions=("a film",))
    for seed in range(30):
        example = made("multimodal", record, seed)
        assert example.audio is None and example.audio_target is None and not example.audio_history


def test_transcripts_whose_spans_are_divided_by_references_still_fit() -> None:
    processor = Processor(FOUR, VOCABULARY, cut_text=False)
    record = film(transcript=" ".join(f"word{number}" for number in range(2000)))
    for seed in range(60):
        processor(made("denoise_text", record, seed, keep=1.0, whole=0.0))
